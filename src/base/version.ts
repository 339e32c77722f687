/** Which etcd this is on the wire, and which cairn. Clients gate features on the former. */
export const ETCD_VERSION = "3.7.1";
/** What the cluster agrees on: the API level without its patch. */
export const CLUSTER_VERSION = "3.7.0";
/** Level of the database file's schema. */
export const STORAGE_VERSION = "3.7.0";
export const CAIRN_VERSION = "0.1.0";
