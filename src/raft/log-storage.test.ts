import { expect, test } from "bun:test";
import fc from "fast-check";
import { NO_MEMBERS } from "./conf-change.ts";
import { type Entry, entriesBytes } from "./entry.ts";
import { MemoryLog } from "./log-storage.ts";

test("MemoryLog knows what its entries take, through appends, overwriting, compaction and snapshots", () => {
  const step = fc.record({
    kind: fc.constantFrom("append", "append", "compact", "install"),
    back: fc.nat(5),
    sizes: fc.array(fc.nat(100), { maxLength: 5 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const log = new MemoryLog();
      for (const { kind, back, sizes } of steps) {
        const first = Math.max(log.firstIndex(), log.lastIndex() + 1 - back);
        const mark = { index: first, term: 1, configuration: NO_MEMBERS };
        if (kind === "append") {
          const data = (size: number) => new Uint8Array(size);
          log.append(
            sizes.map(
              (size, i): Entry => ({ term: 1, index: first + i, kind: 0, data: data(size) }),
            ),
          );
        } else if (kind === "install") {
          log.installSnapshot({ ...mark, index: log.lastIndex() + back });
        } else if (first <= log.lastIndex()) {
          log.saveSnapshot(mark);
          log.compact(first);
        }
        const end = log.lastIndex() + 1;
        const held =
          log.firstIndex() < end
            ? log.entries(log.firstIndex(), end, Number.POSITIVE_INFINITY)
            : [];
        expect(log.bytes).toBe(entriesBytes(held));
        let sum = 0;
        for (let index = log.firstIndex(); index < end; index++) sum += log.bytesOf(index);
        expect(sum).toBe(log.bytes);
      }
    }),
  );
});
