/** Certificates of members against where they come from. */
import { expect, test } from "bun:test";
import type { PeerCertificate } from "node:tls";
import { clientAddressProblem, type NameService } from "./client-address.ts";

const names: NameService = {
  addressesOf: async (name) => {
    if (name === "m1.example") return ["10.0.0.9", "10.0.0.1"];
    throw new Error("no such host");
  },
  namesOf: async (address) => {
    if (address === "10.0.0.1") return ["deep.m1.example.", "m1.example."];
    throw new Error("no such host");
  },
};

const check = (subjectaltname: string | undefined, address = "10.0.0.1"): Promise<string | null> =>
  clientAddressProblem({ subjectaltname, subject: {} } as PeerCertificate, address, names);

test.each([
  [undefined, null],
  ["URI:spiffe://x", null],
  ["IP Address:10.0.0.1", null],
  ["IP Address:10.0.0.2", "x509: certificate is valid for 10.0.0.2, not 10.0.0.1"],
  ["DNS:m1.example", null],
  ["DNS:m2.example", 'tls: "10.0.0.1" does not match any of DNSNames ["m2.example"]'],
  ["DNS:m2.example, DNS:m1.example, IP Address:10.0.0.2", null],
  [
    "DNS:m2.example, DNS:m3.example, IP Address:10.0.0.2",
    'tls: "10.0.0.1" does not match any of DNSNames ["m2.example" "m3.example"]',
  ],
  ["DNS:*.example", null],
  ["DNS:*.m1.example", null],
  ["DNS:*.other", 'tls: "10.0.0.1" does not match any of DNSNames ["*.other"]'],
])("%p", async (subjectaltname, problem) => {
  expect(await check(subjectaltname)).toBe(problem);
});

test("an address in IPv6 form, and none", async () => {
  expect(await check("IP Address:10.0.0.1", "::ffff:10.0.0.1")).toBeNull();
  expect(await check("IP Address:10.0.0.1", "")).toContain("x509");
  expect(await clientAddressProblem(null, "10.0.0.1", names)).toBeNull();
});
