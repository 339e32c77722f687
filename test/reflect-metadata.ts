/**
 * The few Reflect functions that the certificate library's dependency injection asks for. Must be imported
 * before that library.
 */
const metadata = new WeakMap<object, Map<unknown, unknown>>();

function getOwnMetadata(key: unknown, target: object): unknown {
  return metadata.get(target)?.get(key);
}

function getMetadata(key: unknown, target: object): unknown {
  for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at)) {
    const value = getOwnMetadata(key, at);
    if (value !== undefined) return value;
  }
  return undefined;
}

function defineMetadata(key: unknown, value: unknown, target: object): void {
  const known = metadata.get(target);
  if (known === undefined) metadata.set(target, new Map([[key, value]]));
  else known.set(key, value);
}

Object.assign(Reflect, {
  getOwnMetadata,
  getMetadata,
  defineMetadata,
  hasOwnMetadata: (key: unknown, target: object) => getOwnMetadata(key, target) !== undefined,
  metadata: (key: unknown, value: unknown) => (target: object) =>
    defineMetadata(key, value, target),
});
