export type { Lease } from "./lease.ts";
export type { LeaseLoader } from "./lease-loader.ts";
export { LEASE_TTL_SECONDS_MAX, Lessor } from "./lessor.ts";
