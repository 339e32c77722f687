export type { Lease } from "./lease.ts";
export { LEASE_TTL_SECONDS_MAX, Lessor } from "./lessor.ts";
