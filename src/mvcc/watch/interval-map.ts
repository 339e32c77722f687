/**
 * Values by key interval [start, end), asked for "all intervals that hold this point". The watch hub keeps one
 * value per distinct interval, so thousands of watchers of one prefix are one node.
 *
 * An AVL tree ordered by (start, end); each node also knows the largest end of its subtree, which lets `stab`
 * leave whole subtrees out: O(log n + matches). Keys are latin1 text, one character per byte, so comparing
 * text is comparing bytes. OPEN_END sorts after every key.
 */
export const OPEN_END = "\uffff";

interface Node<Value> {
  start: string;
  end: string;
  value: Value;
  /** The largest `end` in this subtree. */
  endMax: string;
  height: number;
  left: Node<Value> | null;
  right: Node<Value> | null;
}

export class IntervalMap<Value> {
  #root: Node<Value> | null = null;
  #size = 0;

  /** How many distinct intervals there are. */
  get size(): number {
    return this.#size;
  }

  get(start: string, end: string): Value | undefined {
    let node = this.#root;
    while (node !== null) {
      const order = compareInterval(start, end, node);
      if (order === 0) return node.value;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  /** Adds the interval or replaces its value. */
  set(start: string, end: string, value: Value): void {
    this.#root = this.#insert(this.#root, start, end, value);
  }

  /** Whether the interval was there. */
  delete(start: string, end: string): boolean {
    const before = this.#size;
    this.#root = this.#remove(this.#root, start, end);
    return this.#size < before;
  }

  /** Appends the values of all intervals with start <= point < end to `found`. */
  stab(point: string, found: Value[]): void {
    stabSubtree(this.#root, point, found);
  }

  #insert(node: Node<Value> | null, start: string, end: string, value: Value): Node<Value> {
    if (node === null) {
      this.#size++;
      return { start, end, value, endMax: end, height: 1, left: null, right: null };
    }
    const order = compareInterval(start, end, node);
    if (order === 0) {
      node.value = value;
      return node;
    }
    if (order < 0) node.left = this.#insert(node.left, start, end, value);
    else node.right = this.#insert(node.right, start, end, value);
    return balance(node);
  }

  #remove(node: Node<Value> | null, start: string, end: string): Node<Value> | null {
    if (node === null) return null;
    const order = compareInterval(start, end, node);
    if (order < 0) node.left = this.#remove(node.left, start, end);
    else if (order > 0) node.right = this.#remove(node.right, start, end);
    else {
      if (node.left === null || node.right === null) {
        this.#size--;
        return node.left ?? node.right;
      }
      const next = leftmost(node.right);
      node.start = next.start;
      node.end = next.end;
      node.value = next.value;
      node.right = this.#remove(node.right, next.start, next.end);
    }
    return balance(node);
  }
}

function compareInterval<Value>(start: string, end: string, node: Node<Value>): number {
  if (start !== node.start) return start < node.start ? -1 : 1;
  if (end !== node.end) return end < node.end ? -1 : 1;
  return 0;
}

function stabSubtree<Value>(node: Node<Value> | null, point: string, found: Value[]): void {
  while (node !== null && node.endMax > point) {
    stabSubtree(node.left, point, found);
    if (node.start > point) return;
    if (node.end > point) found.push(node.value);
    node = node.right;
  }
}

function leftmost<Value>(node: Node<Value>): Node<Value> {
  while (node.left !== null) node = node.left;
  return node;
}

function height<Value>(node: Node<Value> | null): number {
  return node === null ? 0 : node.height;
}

function update<Value>(node: Node<Value>): void {
  const { left, right } = node;
  node.height = 1 + Math.max(height(left), height(right));
  let endMax = node.end;
  if (left !== null && left.endMax > endMax) endMax = left.endMax;
  if (right !== null && right.endMax > endMax) endMax = right.endMax;
  node.endMax = endMax;
}

function rotateRight<Value>(node: Node<Value>): Node<Value> {
  const top = node.left!;
  node.left = top.right;
  top.right = node;
  update(node);
  update(top);
  return top;
}

function rotateLeft<Value>(node: Node<Value>): Node<Value> {
  const top = node.right!;
  node.right = top.left;
  top.left = node;
  update(node);
  update(top);
  return top;
}

/** Restores heights and balance of a node whose subtrees are right. */
function balance<Value>(node: Node<Value>): Node<Value> {
  const lean = height(node.left) - height(node.right);
  if (lean > 1) {
    if (height(node.left!.left) < height(node.left!.right)) node.left = rotateLeft(node.left!);
    return rotateRight(node);
  }
  if (lean < -1) {
    if (height(node.right!.right) < height(node.right!.left)) {
      node.right = rotateRight(node.right!);
    }
    return rotateLeft(node);
  }
  update(node);
  return node;
}
