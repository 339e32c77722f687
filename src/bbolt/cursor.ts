/**
 * The ordered walk over one tree, of pages or (in a write transaction) of nodes and pages mixed. A
 * stack of units with the index taken in each; only the lowest is a leaf.
 *
 * On damaged files: the way down is bounded, an empty leaf below a branch is damage, and each new
 * leaf must continue in key order, so a loop of pages is found at once and no walk is endless.
 */
import { assert } from "../base/assert.ts";
import { compareBytes } from "../base/bytes.ts";
import type { Cursor } from "./bucket.ts";
import type { Node } from "./node.ts";
import { DEPTH_MAX, Page } from "./page.ts";
import type { TreeDamage } from "./tree-damage.ts";

export type Unit = Page | Node;

/** A tree as a cursor sees it. */
export interface TreeView {
  rootUnit(): Unit;
  childUnit(parent: Unit, index: number): Unit;
  /** Grows with every change of the tree. */
  readonly changes: number;
  damage(pageId: number, reason: string): TreeDamage;
}

export class TreeCursor implements Cursor {
  readonly #tree: TreeView;
  readonly #units: Unit[] = [];
  readonly #indexes: number[] = [];
  #leaf: Unit | null = null;
  #index = 0;
  #changes = 0;
  /** The key stood on, kept only when the tree can change. */
  #key: Uint8Array | null = null;

  constructor(tree: TreeView) {
    this.#tree = tree;
  }

  first(): boolean {
    this.#restart();
    this.#descend(this.#tree.rootUnit(), 0, null);
    return this.#settle(this.#leaf!.count > 0 || this.#stepLeaf(1));
  }

  last(): boolean {
    this.#restart();
    this.#descend(this.#tree.rootUnit(), -1, null);
    return this.#settle(this.#index >= 0 || this.#stepLeaf(-1));
  }

  seek(key: Uint8Array): boolean {
    this.#restart();
    let unit = this.#tree.rootUnit();
    while (!unit.isLeaf) {
      const found = unit.search(key);
      const index = found >= 0 ? found : Math.max(~found - 1, 0);
      unit = this.#push(unit, index);
    }
    this.#leaf = unit;
    const found = unit.search(key);
    this.#index = found >= 0 ? found : ~found;
    if (this.#index < unit.count) return this.#settle(true);
    // Beyond the leaf's last key, or in one that this transaction has emptied: the next one has it.
    this.#refuseEmptyPage(unit);
    this.#index = unit.count - 1;
    return this.#settle(this.#stepLeaf(1));
  }

  next(): boolean {
    if (this.#leaf === null) return false;
    if (this.#tree.changes !== this.#changes) return this.#nextAfterChange();
    if (this.#index + 1 < this.#leaf.count) {
      this.#index++;
      return this.#settle(true);
    }
    return this.#settle(this.#stepLeaf(1));
  }

  previous(): boolean {
    if (this.#leaf === null) return false;
    if (this.#tree.changes !== this.#changes) {
      if (!this.seek(this.#key!)) return this.last();
    }
    if (this.#index > 0) {
      this.#index--;
      return this.#settle(true);
    }
    return this.#settle(this.#stepLeaf(-1));
  }

  key(): Uint8Array {
    return this.#current().key(this.#index);
  }

  value(): Uint8Array {
    return this.#current().value(this.#index);
  }

  isBucket(): boolean {
    return this.#current().isBucket(this.#index);
  }

  #current(): Unit {
    assert(this.#leaf !== null, "the cursor stands on an entry");
    if (this.#tree.changes !== this.#changes) {
      const key = this.#key!;
      assert(
        this.seek(key) && compareBytes(this.#leaf.key(this.#index), key) === 0,
        "entry is there",
      );
    }
    return this.#leaf;
  }

  #nextAfterChange(): boolean {
    const key = this.#key!;
    if (!this.seek(key)) return false;
    if (compareBytes(this.#leaf!.key(this.#index), key) > 0) return true;
    return this.next();
  }

  #restart(): void {
    this.#units.length = 0;
    this.#indexes.length = 0;
    this.#leaf = null;
  }

  #settle(found: boolean): boolean {
    if (!found) {
      this.#restart();
      return false;
    }
    this.#changes = this.#tree.changes;
    // A tree that was changed may be changed again; trees of read transactions stay at 0 for ever.
    if (this.#changes > 0) this.#key = this.#leaf!.key(this.#index);
    return true;
  }

  /** Goes down along the first (0) or last (-1) elements. `beyond` is the key to continue from. */
  #descend(from: Unit, edge: 0 | -1, beyond: Uint8Array | null): void {
    let unit = from;
    while (!unit.isLeaf) unit = this.#push(unit, edge === 0 ? 0 : unit.count - 1);
    this.#refuseEmptyPage(unit);
    if (beyond !== null && unit.count > 0) {
      const order = compareBytes(unit.key(edge === 0 ? 0 : unit.count - 1), beyond);
      if (edge === 0 ? order <= 0 : order >= 0) {
        throw this.#tree.damage(unit.pageId, "does not continue the order of its neighbour's keys");
      }
    }
    this.#leaf = unit;
    this.#index = edge === 0 ? 0 : unit.count - 1;
  }

  #refuseEmptyPage(leaf: Unit): void {
    if (leaf.count === 0 && this.#units.length > 0 && leaf instanceof Page) {
      throw this.#tree.damage(leaf.pageId, "is an empty leaf below a branch");
    }
  }

  #push(unit: Unit, index: number): Unit {
    if (this.#units.length >= DEPTH_MAX) throw this.#tree.damage(unit.pageId, "is part of a loop");
    this.#units.push(unit);
    this.#indexes.push(index);
    return this.#tree.childUnit(unit, index);
  }

  /** To the next leaf with entries in this direction. */
  #stepLeaf(direction: 1 | -1): boolean {
    const from = this.#leaf!;
    const beyond = from.count > 0 ? from.key(direction > 0 ? from.count - 1 : 0) : null;
    while (this.#units.length > 0) {
      const unit = this.#units.pop()!;
      const index = this.#indexes.pop()! + direction;
      if (index < 0 || index >= unit.count) continue;
      this.#descend(this.#push(unit, index), direction > 0 ? 0 : -1, beyond);
      if (this.#leaf!.count > 0) return true;
    }
    return false;
  }
}
