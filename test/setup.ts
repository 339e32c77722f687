// Preloaded by `bun test` (bunfig.toml): turns the costly self-checks on.
import { enableVerify } from "../src/base/assert.ts";

enableVerify(true);
