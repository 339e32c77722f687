export type { BucketReader, BucketWriter, Cursor } from "./bucket.ts";
export type { CommitPlan, CommitStep, PageRun } from "./commit-plan.ts";
export { commitSteps } from "./commit-plan.ts";
export type { ReadTransaction } from "./read-transaction.ts";
export { TreeDamage } from "./tree-damage.ts";
export type { TreeFileOptions } from "./tree-file.ts";
export { TreeFile } from "./tree-file.ts";
export type { WriteTransaction } from "./write-transaction.ts";
