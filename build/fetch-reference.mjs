// Puts a real etcd, etcdctl and etcdutl under DIR/bin, to compare with in tests: the newest packages of Debian's
// unstable suite (3.5.x), unpacked without installing anything. Needs root, apt and the mirror that apt is set up with.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";

const directory = resolve(process.argv[2] ?? ".reference");
const NAMES = ["etcd", "etcdctl", "etcdutl"];
const bin = join(directory, "bin");

function present() {
  return NAMES.every((name) => existsSync(join(bin, name)));
}

function sources() {
  const files = ["/etc/apt/sources.list"];
  const folder = "/etc/apt/sources.list.d";
  if (existsSync(folder)) files.push(...readdirSync(folder).map((name) => join(folder, name)));
  return files
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
}

function mirror() {
  const lines = sources()
    .split("\n")
    .filter((line) => !line.trim().startsWith("#"));
  const found = /https?:\/\/[^ ]+\/debian\/?(?=\s|$)/m.exec(lines.join("\n"));
  if (found === null) throw new Error("no Debian mirror among apt's sources");
  return found[0];
}

function run(command, args, cwd) {
  execFileSync(command, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
}

if (!present()) {
  const debs = join(directory, "debs");
  mkdirSync(join(directory, "apt", "lists", "partial"), { recursive: true });
  mkdirSync(debs, { recursive: true });
  mkdirSync(bin, { recursive: true });
  const list = join(directory, "apt", "sid.list");
  const key = "/usr/share/keyrings/debian-archive-keyring.gpg";
  writeFileSync(list, `deb [signed-by=${key}] ${mirror()} sid main\n`);
  const options = [
    `Dir::Etc::sourcelist=${list}`,
    "Dir::Etc::sourceparts=-",
    `Dir::State::lists=${join(directory, "apt", "lists")}`,
    "Dir::Cache::pkgcache=",
    "Dir::Cache::srcpkgcache=",
    "APT::Sandbox::User=root",
  ].flatMap((option) => ["-o", option]);
  run("apt-get", [...options, "update", "-qq"], directory);
  run("apt-get", [...options, "download", "-qq", "etcd-server", "etcd-client"], debs);
  for (const deb of readdirSync(debs))
    run("dpkg", ["-x", join(debs, deb), join(directory, "root")]);
  for (const name of NAMES) {
    rmSync(join(bin, name), { force: true });
    symlinkSync(join(directory, "root", "usr", "bin", name), join(bin, name));
  }
  if (!present()) throw new Error("the packages did not hold etcd, etcdctl and etcdutl");
}
console.log(execFileSync(join(bin, "etcd"), ["--version"], { encoding: "utf8" }).split("\n")[0]);
