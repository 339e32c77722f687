/** /metrics in the text format that every version of Prometheus reads. */
export function metricsPage(text: string): Response {
  return new Response(text, {
    headers: { "Content-Type": "text/plain; version=0.0.4; charset=utf-8; escaping=underscores" },
  });
}
