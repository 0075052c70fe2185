// What every function does with HTTP: bounded bodies, keys compared in constant time, errors in one
// form. Knows nothing of trainings. Standard web interfaces and `Deno.env` only; nothing is fetched.

/** Largest body that is read, in bytes; the largest request of the contract is below 40 kB. */
export const BODY_BYTES = 256 * 1024;

/** Largest answer of another server that is read, in bytes. */
export const ANSWER_BYTES = 4 * 1024 * 1024;

/** How long another server may take, in milliseconds; a submit is answered within 20 seconds. */
export const PATIENCE_MS = 40_000;

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json | undefined };
export type JsonObject = { [name: string]: Json | undefined };

/** An error as its caller reads it. */
export class HttpError extends Error {
  /**
   * @param status of HTTP
   * @param code stable, snake_case
   * @param message what is wrong; no secret, no address
   * @param hint the next step
   */
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string | null = null,
  ) {
    super(message);
  }
}

export function json(value: Json, status = 200, headers: Record<string, string> = {}): Response {
  const told = { "content-type": "application/json", "cache-control": "no-store", ...headers };
  return new Response(JSON.stringify(value), { status, headers: told });
}

/** `{"error": {"code", "message", "hint", "context"}}`, as podtune's gateway says it. */
export function errorBody(error: HttpError): JsonObject {
  return {
    error: { code: error.code, message: error.message, hint: error.hint, context: {} },
  };
}

export type Handler = (request: Request) => Promise<Response>;

/** Answer requests; what nobody expected tells nothing of its inside. */
export function serve(name: string, handler: Handler): void {
  Deno.serve(async (request) => {
    try {
      return await handler(request);
    } catch (error) {
      if (error instanceof HttpError) {
        const headers: Record<string, string> = error.status === 401
          ? { "www-authenticate": "Bearer" }
          : {};
        return json(errorBody(error), error.status, headers);
      }
      note(name, "unexpected_error", error instanceof Error ? error.name : typeof error);
      return json(
        errorBody(new HttpError(500, "internal_error", "the function met an unknown error")),
        500,
      );
    }
  });
}

/** One line for the function's log. Give names and codes, never a key, an address or a row. */
export function note(name: string, event: string, detail: string): void {
  // deno-lint-ignore no-console -- the log of an edge function is its console
  console.log(JSON.stringify({ function: name, event, detail: detail.slice(0, 500) }));
}

/** Read a body as it comes and stop at the bound: a length that was told may be a lie. */
export async function readBytes(
  from: Request | Response,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (from.body === null) return new Uint8Array();
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of from.body) {
    size += piece.byteLength;
    if (size > limit) {
      throw new HttpError(413, "body_too_large", `the body is larger than ${limit} bytes`);
    }
    pieces.push(piece);
  }
  const whole = new Uint8Array(size);
  let place = 0;
  for (const piece of pieces) {
    whole.set(piece, place);
    place += piece.byteLength;
  }
  return whole;
}

/** A JSON object of some bytes. */
export function parseObject(bytes: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new HttpError(400, "bad_json", "the body is not JSON", "send one JSON object");
  }
  const found = asObject(value);
  if (found === null) throw new HttpError(400, "bad_json", "the body is not a JSON object");
  return found;
}

export function asObject(value: unknown): JsonObject | null {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? value as JsonObject : null;
}

/** A setting that must be there. */
export function setting(name: string, least = 1): string {
  const value = Deno.env.get(name)?.trim() ?? "";
  if (value.length < least) {
    const short = value ? `shorter than ${least} characters` : "not set";
    throw new HttpError(
      503,
      "not_configured",
      `${name} is ${short}`,
      `supabase secrets set ${name}=...`,
    );
  }
  return value;
}

/**
 * An address of the settings, without a slash at its end. Plain http goes to this machine only: keys
 * are sent there.
 */
export function address(name: string, fallback?: string): string {
  const value = fallback === undefined ? setting(name) : Deno.env.get(name)?.trim() || fallback;
  const parsed = URL.canParse(value) ? new URL(value) : null;
  const isLocal = parsed !== null && ["127.0.0.1", "localhost", "[::1]"].includes(parsed.hostname);
  const isFit = parsed?.protocol === "https:" || (parsed?.protocol === "http:" && isLocal);
  if (parsed === null || !isFit || parsed.username || parsed.search || parsed.hash) {
    throw new HttpError(503, "not_configured", `${name} is no https address`);
  }
  return value.replace(/\/+$/, "");
}

/** Refuse who does not send the key as `Authorization: Bearer KEY`. */
export async function requireBearer(request: Request, key: string): Promise<void> {
  const told = request.headers.get("authorization") ?? "";
  const sent = /^bearer /i.test(told) ? told.slice(7).trim() : "";
  if (!await isSame(sent, key)) {
    throw new HttpError(401, "key_rejected", "the key is missing or is not the one expected");
  }
}

/** Whether two texts are equal; how long it takes says nothing about where they differ. */
export async function isSame(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([digest(one), digest(other)]);
  let differing = 0;
  for (let i = 0; i < a.length; i++) differing |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return differing === 0;
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** What another server answered. */
export interface Answer {
  status: number;
  /** The decoded body; null where it is no JSON. */
  body: unknown;
}

/** No answer came: the request may have been carried out, or not. */
export class NoAnswerError extends Error {}

/** Ask another server. A redirect is not followed: the key goes to the address of the settings only. */
export async function ask(
  url: string,
  method: string,
  headers: Record<string, string>,
  body?: Json,
): Promise<Answer> {
  const sent: RequestInit = {
    method,
    headers: { accept: "application/json", "user-agent": "podtune-edge/1", ...headers },
    redirect: "error",
    signal: AbortSignal.timeout(PATIENCE_MS),
  };
  if (body !== undefined) {
    sent.body = JSON.stringify(body);
    sent.headers = { ...sent.headers, "content-type": "application/json" };
  }
  try {
    const response = await fetch(url, sent);
    const bytes = await readBytes(response, ANSWER_BYTES);
    return { status: response.status, body: decoded(bytes) };
  } catch (error) {
    // The error's own words hold the address.
    throw new NoAnswerError(error instanceof Error ? error.name : "no answer");
  }
}

function decoded(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}
