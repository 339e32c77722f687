// One of the two servers as a case sees it: calls, watches and HTTP requests, each written down as a
// step. A case is the same function run on both sides; the steps of both are compared afterwards.

import type { Member } from "../reference-etcd.ts";
import { requireDivergence } from "./divergence.ts";
import { type CallOptions, GrpcClient, method, type Outcome } from "./grpc-client.ts";
import { HttpClient, type HttpOptions } from "./http-client.ts";
import type { Json, JsonObject } from "./plain.ts";
import { StreamSession } from "./stream-session.ts";
import { type Identity, Normaliser, type Step } from "./trace.ts";
import { WatchSession } from "./watch-session.ts";

/** Lets both sides of a case meet: resolves when both have come. */
export type Barrier = () => Promise<void>;

export class Side {
  readonly member: Member;
  readonly grpc: GrpcClient;
  readonly http: HttpClient;
  readonly identity: Identity;
  /** Revision at the start of the case. */
  base = 0;
  /** Put before every key of the case, so that cases do not meet. */
  prefix = "";
  steps: Step[] = [];
  readonly chosenLeases: string[] = [];
  #sessions: WatchSession[] = [];

  private constructor(member: Member, grpc: GrpcClient, identity: Identity) {
    this.member = member;
    this.grpc = grpc;
    this.identity = identity;
    this.http = new HttpClient(member.url);
  }

  static async open(member: Member): Promise<Side> {
    const grpc = new GrpcClient(member.endpoint);
    const status = await grpc.unary(method("Maintenance", "Status"), {});
    if (!("ok" in status)) throw new Error(`status of ${member.kind}: ${JSON.stringify(status)}`);
    const header = (status.ok as JsonObject).header as JsonObject;
    return new Side(member, grpc, {
      clusterId: String(header.cluster_id),
      memberId: String(header.member_id),
      endpoint: member.endpoint,
      peerEndpoint: `127.0.0.1:${member.ports.peer}`,
    });
  }

  async begin(prefix: string): Promise<void> {
    this.prefix = prefix;
    this.steps = [];
    this.base = await this.revision();
  }

  /** Like `begin` where the caller knows the revision. */
  beginStep(base: number): void {
    this.steps = [];
    this.base = base;
  }

  async finish(): Promise<Step[]> {
    for (const session of this.#sessions) session.end();
    this.#sessions = [];
    const normaliser = new Normaliser(this.identity, this.base, this.chosenLeases);
    return this.steps.map((step) => normaliser.step(step));
  }

  close(): void {
    this.grpc.close();
  }

  key(name: string): string {
    return this.prefix + name;
  }

  /** The store's current revision, not written down. */
  async revision(): Promise<number> {
    const answer = await this.grpc.unary(method("KV", "Range"), { key: "\0", count_only: true });
    if (!("ok" in answer)) throw new Error(`revision: ${JSON.stringify(answer)}`);
    return Number(((answer.ok as JsonObject).header as JsonObject).revision);
  }

  note(call: string, request: Json, answer: Json): void {
    this.steps.push({ call, request, answer });
  }

  /** A unary call, written down. */
  async call(
    service: string,
    name: string,
    fields: object,
    options?: CallOptions,
  ): Promise<Outcome> {
    const request = fields as JsonObject;
    const outcome = await this.grpc.unary(method(service, name), request, options);
    if (name === "LeaseGrant" && request.ID === undefined && "ok" in outcome) {
      this.chosenLeases.push(String((outcome.ok as JsonObject).ID));
    }
    this.note(`${service}/${name}`, request, outcome as unknown as Json);
    return outcome;
  }

  /** A call that is not written down: setup, or an answer too large to print. */
  quiet(service: string, name: string, request: object): Promise<Outcome> {
    return this.grpc.unary(method(service, name), request as JsonObject);
  }

  /** A call that etcd 3.5 answers differently or dies of: only cairn is asked, and must give the
   * answer written in the case. The divergence says why. */
  async diverging(
    divergenceId: string,
    service: string,
    name: string,
    request: object,
    answer: Json,
  ): Promise<void> {
    requireDivergence(divergenceId);
    if (this.member.kind === "cairn") await this.call(service, name, request);
    else this.note(`${service}/${name}`, request as JsonObject, answer);
  }

  range(request: object): Promise<Outcome> {
    return this.call("KV", "Range", request);
  }

  put(key: string, value = "", options: object = {}): Promise<Outcome> {
    return this.call("KV", "Put", { key, value, ...options });
  }

  /** A put of a value too large to print: only the answer is written down. */
  async putLarge(key: string, value: string): Promise<void> {
    const outcome = await this.grpc.unary(method("KV", "Put"), { key, value });
    this.note("KV/Put", { key, valueBytes: value.length }, outcome as unknown as Json);
  }

  remove(request: object): Promise<Outcome> {
    return this.call("KV", "DeleteRange", request);
  }

  txn(request: object): Promise<Outcome> {
    return this.call("KV", "Txn", request);
  }

  /** A POST to the JSON gateway or a GET of a page, written down. */
  async request(path: string, options: HttpOptions = {}): Promise<Json> {
    const answer = await this.http.request(path, options);
    this.note(`${options.method ?? "POST"} ${path}`, options.body ?? null, answer);
    return answer;
  }

  /** Like `diverging`, for a request over HTTP. */
  async divergingRequest(
    divergenceId: string,
    path: string,
    options: HttpOptions,
    answer: Json,
  ): Promise<void> {
    requireDivergence(divergenceId);
    if (this.member.kind === "cairn") await this.request(path, options);
    else this.note(`${options.method ?? "POST"} ${path}`, options.body ?? null, answer);
  }

  /** The first lines of a streamed answer of the JSON gateway, then the request is given up. */
  async lines(path: string, body: Json, count: number, act?: () => Promise<void>): Promise<void> {
    const answer = await this.http.lines(path, { body }, count, act);
    this.note(`POST ${path}, ${count} lines`, body, answer);
  }

  /** Keep-alive requests on one stream, each answered before the next is sent. */
  async keepAlive(...leaseIds: string[]): Promise<void> {
    const stream = this.keepAliveStream();
    for (const ID of leaseIds) {
      stream.send({ ID });
      await stream.take(() => true, "response", { ID });
    }
    stream.halfClose();
    await stream.ended();
  }

  keepAliveStream(): StreamSession {
    const stream = this.grpc.bidirectional(method("Lease", "LeaseKeepAlive"));
    return new StreamSession(this, stream, "keepalive");
  }

  /** A watch stream; what it receives is written down by its own calls. */
  watch(options?: CallOptions): WatchSession {
    const session = new WatchSession(
      this,
      this.grpc.bidirectional(method("Watch", "Watch"), options),
    );
    this.#sessions.push(session);
    return session;
  }
}

/** The response of a call that must have worked. */
export function okOf(outcome: Outcome): JsonObject {
  if (!("ok" in outcome)) throw new Error(`the call failed: ${JSON.stringify(outcome)}`);
  return outcome.ok as JsonObject;
}
