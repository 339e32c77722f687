export { runUtility } from "./run-utility.ts";
