/**
 * An in-memory disk that forgets what was not synced and fails when told to. For crash tests and the
 * simulator. Harsher than real disks where POSIX allows it: pending writes survive in any order and torn at
 * sectors, and a file's name is durable only after its directory was synced.
 *
 * What a test decides: when syncs complete (`syncMode`, `step`), which operation fails (`inject`), after which
 * operation the power goes (`crashAfter`), and with `crash(seed)` what is left.
 */
import type { Disk, DiskFile, OpenOptions } from "../../src/io/index.ts";
import { DiskError } from "../../src/io/index.ts";
import { FaultFile } from "./fault-file.ts";
import { DirectoryInode, FileInode, type Inode, type NameChange } from "./fault-inode.ts";
import { SeededRandom } from "./seeded-random.ts";

export type DiskOperation =
  | "open"
  | "read"
  | "write"
  | "sync"
  | "truncate"
  | "preallocate"
  | "list"
  | "mkdir"
  | "rename"
  | "remove"
  | "sync-directory";

/**
 * fail: throws (a failed sync drops what it should have saved, as kernels do).
 * lose: a write or sync reports success and does not reach the disk.
 * misdirect: a write lands `byBytes` further on.
 */
export interface Fault {
  readonly operation: DiskOperation;
  readonly pathIncludes?: string;
  /** How many matching operations pass first. */
  readonly skip?: number;
  readonly effect:
    | { readonly kind: "fail"; readonly code: string }
    | { readonly kind: "lose" }
    | { readonly kind: "misdirect"; readonly byBytes: number };
}

/** Thrown where the power goes; not a DiskError, for no program survives to see it. */
export class PowerCut extends Error {
  override name = "PowerCut";
}

interface OutstandingSync {
  readonly inode: FileInode;
  readonly changes: number;
  readonly path: string;
  readonly fault: Fault["effect"] | null;
  readonly done: (error: DiskError | null) => void;
}

export class FaultDisk implements Disk {
  /** Whether a sync completes within the call or when `step` is called. */
  syncMode: "immediate" | "step" = "immediate";
  /** Bytes that all files together may have. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** Operations that change something, counted from the disk's making. */
  operationCount = 0;
  /** The power goes right after the operation with this number. */
  crashAfter = Number.POSITIVE_INFINITY;
  /** Old handles are dead after a crash. */
  generation = 0;
  #root = new DirectoryInode();
  #nameChanges: NameChange[] = [];
  #faults: { fault: Fault; left: number }[] = [];
  #outstanding: OutstandingSync[] = [];

  inject(fault: Fault): void {
    this.#faults.push({ fault, left: fault.skip ?? 0 });
  }

  get outstandingSyncs(): number {
    return this.#outstanding.length;
  }

  /** Completes the oldest outstanding sync; false if there is none. */
  step(): boolean {
    const sync = this.#outstanding.shift();
    if (sync === undefined) return false;
    this.#complete(sync);
    return true;
  }

  /** The power is gone and comes back: only what was durable, and whatever else the seed lets through, is left. */
  crash(seed: number): void {
    const random = new SeededRandom(seed);
    this.generation++;
    this.#outstanding = [];
    this.crashAfter = Number.POSITIVE_INFINITY;
    const kept = random.below(this.#nameChanges.length + 1);
    for (const change of this.#nameChanges.slice(0, kept)) change.apply();
    this.#nameChanges = [];
    const visit = (directory: DirectoryInode): void => {
      directory.entries = new Map(directory.durableEntries);
      for (const inode of directory.entries.values()) {
        if (inode.kind === "directory") visit(inode);
        else inode.crash(random);
      }
    };
    visit(this.#root);
  }

  /** The process is killed: files are as it left them, but what was not synced may still be lost with the power. */
  kill(): void {
    this.generation++;
    this.#outstanding = [];
    this.crashAfter = Number.POSITIVE_INFINITY;
    const visit = (directory: DirectoryInode): void => {
      for (const inode of directory.entries.values()) {
        if (inode.kind === "directory") visit(inode);
        else inode.lockedBy = null;
      }
    };
    visit(this.#root);
  }

  /** Changes bits of a file as a decaying medium does, in what is read and in what is durable. */
  rot(path: string, position: number, mask: number): void {
    const inode = this.#file(path);
    for (const content of [inode.view, inode.durable]) {
      const bytes = content.bytes();
      if (position < bytes.length) bytes[position]! ^= mask;
    }
  }

  /** The bytes of a file as a reader sees them. */
  contents(path: string): Uint8Array {
    return this.#file(path).view.bytes().slice();
  }

  open(path: string, options: OpenOptions = {}): DiskFile {
    const parent = this.#parent("open", path);
    const name = baseName(path);
    let inode = parent.entries.get(name);
    if (inode?.kind === "directory") throw new DiskError("open", path, "EISDIR", "is a directory");
    if (inode !== undefined && options.exclusive) {
      throw new DiskError("open", path, "EEXIST", "file already exists");
    }
    if (inode === undefined) {
      if (!options.create) throw new DiskError("open", path, "ENOENT", "no such file");
      this.before("open", path);
      const created = new FileInode();
      inode = created;
      parent.entries.set(name, created);
      this.#noteNames([parent], () => parent.durableEntries.set(name, created));
      this.after();
    }
    return new FaultFile(this, inode, path, options.readOnly ?? false);
  }

  exists(path: string): boolean {
    return this.#find(path) !== null;
  }

  isDirectory(path: string): boolean {
    return this.#find(path)?.kind === "directory";
  }

  list(path: string): string[] {
    this.before("list", path);
    return [...this.#directory("list", path).entries.keys()].sort();
  }

  makeDirectory(path: string): void {
    let directory = this.#root;
    for (const name of partsOf(path)) {
      const found = directory.entries.get(name);
      if (found?.kind === "file") throw new DiskError("mkdir", path, "ENOTDIR", "not a directory");
      if (found !== undefined) {
        directory = found;
        continue;
      }
      this.before("mkdir", path);
      const parent = directory;
      const made = new DirectoryInode();
      parent.entries.set(name, made);
      this.#noteNames([parent], () => parent.durableEntries.set(name, made));
      this.after();
      directory = made;
    }
  }

  rename(from: string, to: string): void {
    const source = this.#parent("rename", from);
    const target = this.#parent("rename", to);
    const oldName = baseName(from);
    const newName = baseName(to);
    const inode = source.entries.get(oldName);
    if (inode === undefined) throw new DiskError("rename", from, "ENOENT", "no such file");
    this.before("rename", from);
    source.entries.delete(oldName);
    target.entries.set(newName, inode);
    this.#noteNames([source, target], () => {
      source.durableEntries.delete(oldName);
      target.durableEntries.set(newName, inode);
    });
    this.after();
  }

  remove(path: string): void {
    const parent = this.#parent("remove", path);
    const name = baseName(path);
    if (!parent.entries.has(name)) throw new DiskError("remove", path, "ENOENT", "no such file");
    this.before("remove", path);
    parent.entries.delete(name);
    this.#noteNames([parent], () => parent.durableEntries.delete(name));
    this.after();
  }

  syncDirectory(path: string): void {
    const directory = this.#directory("sync", path);
    const effect = this.before("sync-directory", path);
    if (effect === null) {
      // Journals are ordered: what came before a change that must be durable is durable with it.
      let last = -1;
      this.#nameChanges.forEach((change, i) => {
        if (change.directories.includes(directory)) last = i;
      });
      for (const change of this.#nameChanges.splice(0, last + 1)) change.apply();
    }
    this.after();
  }

  /** Called before an operation takes effect: throws an injected failure, or returns another injected effect. */
  before(
    operation: DiskOperation,
    path: string,
  ): Exclude<Fault["effect"], { kind: "fail" }> | null {
    const effect = this.#takeFault(operation, path);
    if (effect?.kind !== "fail") return effect;
    throw new DiskError(operation, path, effect.code, "injected failure");
  }

  /** Called after an operation took effect: the place where the power may go. */
  after(): void {
    this.operationCount++;
    if (this.operationCount > this.crashAfter) throw new PowerCut("the power is gone");
  }

  startSync(inode: FileInode, path: string, done: (error: DiskError | null) => void): void {
    const fault = this.#takeFault("sync", path);
    const sync = { inode, changes: inode.changeCount, path, fault, done };
    if (this.syncMode === "step") this.#outstanding.push(sync);
    else this.#complete(sync);
  }

  /** Throws ENOSPC where growing by so many bytes exceeds the disk. */
  reserve(path: string, growthBytes: number): void {
    if (growthBytes <= 0 || this.capacityBytes === Number.POSITIVE_INFINITY) return;
    if (this.usedBytes() + growthBytes > this.capacityBytes) {
      throw new DiskError("write", path, "ENOSPC", "no space left on device");
    }
  }

  usedBytes(): number {
    const sum = (directory: DirectoryInode): number => {
      let total = 0;
      for (const inode of directory.entries.values()) {
        total += inode.kind === "directory" ? sum(inode) : inode.view.sizeBytes;
      }
      return total;
    };
    return sum(this.#root);
  }

  #complete(sync: OutstandingSync): void {
    const { inode, changes, path, fault, done } = sync;
    if (fault === null) {
      inode.commit(changes);
      this.after();
      done(null);
      return;
    }
    // Failed or pretended: the pages count as clean afterwards, so no later sync saves them.
    inode.settle(changes);
    this.after();
    done(
      fault.kind === "fail" ? new DiskError("sync", path, fault.code, "injected failure") : null,
    );
  }

  #takeFault(operation: DiskOperation, path: string): Fault["effect"] | null {
    for (let i = 0; i < this.#faults.length; i++) {
      const candidate = this.#faults[i]!;
      const { fault } = candidate;
      if (fault.operation !== operation || !path.includes(fault.pathIncludes ?? "")) continue;
      if (candidate.left > 0) {
        candidate.left--;
        continue;
      }
      this.#faults.splice(i, 1);
      return fault.effect;
    }
    return null;
  }

  #noteNames(directories: DirectoryInode[], apply: () => void): void {
    this.#nameChanges.push({ directories, apply });
  }

  leadsTo(path: string, inode: Inode): boolean {
    return this.#find(path) === inode;
  }

  #find(path: string): Inode | null {
    let inode: Inode = this.#root;
    for (const name of partsOf(path)) {
      if (inode.kind !== "directory") return null;
      const next = inode.entries.get(name);
      if (next === undefined) return null;
      inode = next;
    }
    return inode;
  }

  #directory(operation: string, path: string): DirectoryInode {
    const inode = this.#find(path);
    if (inode?.kind === "directory") return inode;
    throw new DiskError(operation, path, "ENOENT", "no such directory");
  }

  #parent(operation: string, path: string): DirectoryInode {
    return this.#directory(operation, partsOf(path).slice(0, -1).join("/"));
  }

  #file(path: string): FileInode {
    const inode = this.#find(path);
    if (inode?.kind === "file") return inode;
    throw new DiskError("open", path, "ENOENT", "no such file");
  }
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function baseName(path: string): string {
  return partsOf(path).pop() ?? "";
}
