export { type Alarm, Alarms } from "./alarms.ts";
export { clusterIdOf, memberIdOf } from "./ids.ts";
export {
  type InitialCluster,
  initialClusterOf,
  initialClusterText,
  parseInitialCluster,
} from "./initial-cluster.ts";
export { decodeMember, encodeMember, hexId, type Member } from "./member.ts";
export { Membership } from "./membership.ts";
export { parsePeerUrls } from "./peer-urls.ts";
