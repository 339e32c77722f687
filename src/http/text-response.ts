/** Plain text answers as Go's net/http writes them. */
import { TEXT_HEADERS } from "./middleware/access-control.ts";
import { sizedResponse } from "./sized-response.ts";

export function textResponse(status: number, text: string): Response {
  return sizedResponse(text, status, TEXT_HEADERS);
}

export function pageNotFound(): Response {
  return textResponse(404, "404 page not found\n");
}

/** The answer to any method but GET. */
export function onlyGet(): Response {
  return sizedResponse("Method Not Allowed\n", 405, { ...TEXT_HEADERS, Allow: "GET" });
}
