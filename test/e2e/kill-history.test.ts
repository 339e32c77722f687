import { expect, test } from "bun:test";
import { KillHistory, type Operation } from "./kill-history.ts";

const put = (key: string, value: string): Operation => ({ events: [{ kind: "put", key, value }] });
const at = (revision: number, operation: Operation) => ({ revision, events: operation.events });

test("KillHistory accepts acknowledged, observed and lost writes", () => {
  const history = new KillHistory();
  const [a, b, c] = [put("a", "1"), put("b", "2"), put("c", "3")];
  history.acknowledge(a, 2);
  history.lose(b);
  history.lose(c);
  history.observe(at(3, b));
  history.check([at(2, a), at(3, b)], 3);
  expect(history.state().map(({ key }) => key)).toEqual(["a", "b"]);
});

test("KillHistory notices a write that is gone, changed, moved, doubled or made up", () => {
  const failing = (act: (history: KillHistory) => void) => {
    const history = new KillHistory();
    history.acknowledge(put("a", "1"), 2);
    expect(() => act(history)).toThrow();
  };
  failing((history) => history.check([], 1));
  failing((history) => history.check([at(2, put("a", "0"))], 2));
  failing((history) => history.check([at(3, put("a", "1"))], 3));
  failing((history) => history.check([at(2, put("a", "1")), at(3, put("a", "1"))], 3));
  failing((history) => history.check([at(2, put("a", "1")), at(3, put("x", "1"))], 3));
  failing((history) => history.check([at(2, put("a", "1"))], 3));
  failing((history) => history.acknowledge(put("b", "1"), 2));
  failing((history) => {
    history.observe(at(3, put("c", "1")));
    history.check([at(2, put("a", "1"))], 2);
  });
});
