/** /debug/vars in the layout of Go's expvar: one name to a line, sorted. */
export function debugVarsPage(variables: Readonly<Record<string, unknown>>): Response {
  const lines = Object.keys(variables)
    .sort()
    .map((name) => `${JSON.stringify(name)}: ${JSON.stringify(variables[name])}`);
  return new Response(`{\n${lines.join(",\n")}\n}\n`, {
    headers: { "Content-Type": "application/json; charset=utf-8" },
  });
}
