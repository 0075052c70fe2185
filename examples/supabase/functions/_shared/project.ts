// This Supabase project: rows of a table over its REST interface, signed addresses of its storage.
// Speaks both with `fetch`, so that the functions need no library.

import { address, type Answer, ask, asObject, HttpError, type JsonObject } from "./http.ts";
import { NoAnswerError, setting } from "./http.ts";

/** Conditions on columns in PostgREST's words: `{status: "eq.queued"}`. */
export type Filter = Record<string, string>;

/** The project with the rights of its secret key. */
export class Project {
  readonly url: string;
  readonly #headers: Record<string, string>;

  /** Take the address and key that Supabase gives every function. */
  constructor() {
    this.url = address("SUPABASE_URL");
    const key = secretKey();
    this.#headers = { apikey: key, authorization: `Bearer ${key}` };
  }

  /** Rows that fulfil the conditions. */
  async select(table: string, filter: Filter): Promise<JsonObject[]> {
    return await this.#rows(`/rest/v1/${table}?${new URLSearchParams(filter)}`, "GET");
  }

  /** Change the rows that fulfil the conditions, in one statement; gives those that were changed. */
  async update(table: string, filter: Filter, values: JsonObject): Promise<JsonObject[]> {
    const path = `/rest/v1/${table}?${new URLSearchParams(filter)}`;
    return await this.#rows(path, "PATCH", values);
  }

  /** An address that opens one object for so many seconds. */
  async signedRead(bucket: string, path: string, seconds: number): Promise<string> {
    const answer = await this.#storage(`/object/sign/${quoted(bucket, path)}`, {
      expiresIn: seconds,
    });
    return `${this.url}/storage/v1${this.#told(answer, "signedURL")}`;
  }

  /** An address that takes one object by PUT; Supabase lets it live for two hours. */
  async signedUpload(bucket: string, path: string): Promise<string> {
    const answer = await this.#storage(`/object/upload/sign/${quoted(bucket, path)}`, {}, {
      "x-upsert": "true",
    });
    return `${this.url}/storage/v1${this.#told(answer, "url")}`;
  }

  async #storage(
    path: string,
    body: JsonObject,
    more: Record<string, string> = {},
  ): Promise<Answer> {
    return await this.#ask(`/storage/v1${path}`, "POST", body, more);
  }

  #told(answer: Answer, name: string): string {
    const found = asObject(answer.body)?.[name];
    if (answer.status === 200 && typeof found === "string" && found.startsWith("/")) return found;
    const missing = answer.status < 500;
    throw new HttpError(
      missing ? 404 : 503,
      missing ? "object_not_found" : "storage_unavailable",
      missing ? "storage has no such object" : "storage does not answer",
    );
  }

  async #rows(path: string, method: string, body?: JsonObject): Promise<JsonObject[]> {
    const answer = await this.#ask(path, method, body, { prefer: "return=representation" });
    if (answer.status >= 300 || !Array.isArray(answer.body)) {
      const code = asObject(answer.body)?.code;
      const shown = typeof code === "string" ? ` (${code.slice(0, 20)})` : "";
      throw new HttpError(503, "database_refused", `the database answers ${answer.status}${shown}`);
    }
    return answer.body.map(asObject).filter((row) => row !== null);
  }

  async #ask(
    path: string,
    method: string,
    body?: JsonObject,
    more: Record<string, string> = {},
  ): Promise<Answer> {
    try {
      return await ask(this.url + path, method, { ...this.#headers, ...more }, body);
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      throw new HttpError(503, "project_unavailable", "the Supabase project does not answer");
    }
  }
}

/** The secret key: of the new keys the one called `default`, else the service role's. */
function secretKey(): string {
  const keys = Deno.env.get("SUPABASE_SECRET_KEYS");
  if (keys) {
    try {
      const found = asObject(JSON.parse(keys))?.default;
      if (typeof found === "string" && found) return found;
    } catch {
      throw new HttpError(503, "not_configured", "SUPABASE_SECRET_KEYS is not JSON");
    }
  }
  return setting("SUPABASE_SERVICE_ROLE_KEY");
}

function quoted(bucket: string, path: string): string {
  return [bucket, ...path.split("/")].map(encodeURIComponent).join("/");
}
