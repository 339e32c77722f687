// What a real etcd 3.5.30 answered to `member add` with each of these.
import { expect, test } from "bun:test";
import { parsePeerUrls } from "./peer-urls.ts";

const TAKEN: readonly (readonly [given: string[], written: string[]])[] = [
  [["http://a:1"], ["http://a:1"]],
  [["HTTP://a:1"], ["http://a:1"]],
  [[" http://a:1 "], ["http://a:1"]],
  [["http://:1"], ["http://:1"]],
  [["http://a:"], ["http://a:"]],
  [["http://a:99999"], ["http://a:99999"]],
  [["http://a:1?x=1"], ["http://a:1?x=1"]],
  [["http://a:1#f"], ["http://a:1#f"]],
  [["http://u:p@a:1"], ["http://u:p@a:1"]],
  [["http://@a:1"], ["http://@a:1"]],
  [["http://[::1]:2"], ["http://[::1]:2"]],
  [["http://[fe80::1%25en0]:1"], ["http://[fe80::1%25en0]:1"]],
  [["http://a_b:1"], ["http://a_b:1"]],
  [['http://e"b:1'], ['http://e"b:1']],
  [["http://h,i:1"], ["http://h,i:1"]],
  [["http://ü:1"], ["http://%C3%BC:1"]],
  [["http://é%C3:1"], ["http://%C3%A9%C3:1"]],
  [["unix://x"], ["unix://x"]],
  [["unix:///tmp/x"], ["unix:///tmp/x"]],
  [["unix:x"], ["unix:x"]],
  [["unixs://y?z=1"], ["unixs://y?z=1"]],
  [
    ["http://z:1", "http://b:2"],
    ["http://b:2", "http://z:1"],
  ],
  [
    ["http://a:1", "http://a:1"],
    ["http://a:1", "http://a:1"],
  ],
];

const REFUSED: readonly string[][] = [
  [],
  [""],
  ["127.0.0.1:1"],
  ["http://127.0.0.1"],
  ["ftp://127.0.0.1:1"],
  ["http://127.0.0.1:1/path"],
  ["http://127.0.0.1:1/"],
  ["http://a:b"],
  ["http://a b:1"],
  ["http://a%20b:1"],
  ["http://a:1:2"],
  ["http://::1:2"],
  ["http:a:1"],
  ["http://a:1", "bad"],
  ["http://a:1\n"].map((url) => `${url}x`),
  ["http://\ud800:1"],
];

test.each(TAKEN)("parsePeerUrls takes %j", (given, written) => {
  expect(parsePeerUrls(given)).toEqual(written);
});

test.each(REFUSED.map((urls) => [urls] as const))("parsePeerUrls refuses %j", (urls) => {
  expect(parsePeerUrls(urls)).toBeNull();
});
