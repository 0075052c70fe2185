// Rows of a table over HTTP in PostgREST's words, as far as the functions use them: conditions `eq`, `lt`,
// `lte`, `is.null`, one `or=(...)`, `order`, `limit`; insert and conditional update.

type Value = string | number | boolean | null | unknown[] | Record<string, unknown>;
type Row = Record<string, Value>;

const tables: Record<string, Row[]> = { training_jobs: [] };

/** What the migration's table fills in. */
function defaults(): Row {
  const now = new Date().toISOString();
  return {
    id: crypto.randomUUID(),
    status: "queued",
    progress: 0,
    current_epoch: 0,
    current_step: 0,
    stage: null,
    metrics: null,
    warnings: null,
    cost_usd: null,
    eta_seconds: null,
    adapter_path: null,
    error_code: null,
    error_message: null,
    advice: null,
    external_job_id: null,
    gpu_config: null,
    tries: 0,
    next_try_at: now,
    claimed_at: null,
    polled_at: null,
    callback_id: null,
    callback_at: null,
    created_at: now,
    submitted_at: null,
    ended_at: null,
    user_id: null,
  };
}

const STATED = ["dataset_path", "hyperparameters"];
const RESERVED = ["order", "limit", "select", "or"];

export async function rest(request: Request): Promise<Response> {
  const url = new URL(request.url);
  const table = tables[url.pathname.slice("/rest/v1/".length)];
  if (table === undefined) return refusal(404, "PGRST205", "no such table");
  if (request.method === "POST") return insert(table, await request.json());
  const found = table.filter((row) => fulfils(row, url.searchParams));
  if (request.method === "PATCH") {
    const values = await request.json() as Row;
    const strange = Object.keys(values).find((name) => !(name in defaults()));
    if (strange !== undefined) return refusal(400, "PGRST204", `no column ${strange}`);
    for (const row of found) Object.assign(row, values);
    return Response.json(found);
  }
  if (request.method !== "GET") return refusal(405, "PGRST117", "unsupported");
  const [column, direction] = (url.searchParams.get("order") ?? "created_at.asc").split(".");
  found.sort((a, b) => compare(a[column ?? ""], b[column ?? ""]) * (direction === "desc" ? -1 : 1));
  return Response.json(found.slice(0, Number(url.searchParams.get("limit") ?? 1000)));
}

function insert(table: Row[], values: Row): Response {
  const row = { ...defaults(), ...values };
  if (STATED.some((name) => row[name] === undefined)) {
    return refusal(400, "23502", "null value in a column that needs one");
  }
  table.push(row);
  return Response.json([row], { status: 201 });
}

function fulfils(row: Row, conditions: URLSearchParams): boolean {
  for (const [name, told] of conditions) {
    if (!RESERVED.includes(name) && !holds(row[name], told)) return false;
  }
  const either = conditions.get("or");
  if (either === null) return true;
  return [...either.slice(1, -1).matchAll(/([a-z_]+)\.((?:[a-z]+)\.(?:"[^"]*"|[^,]*))/g)]
    .some(([, name, told]) => holds(row[name ?? ""], told ?? ""));
}

function holds(value: Value | undefined, told: string): boolean {
  const [, operator, raw] = /^([a-z]+)\.(.*)$/s.exec(told) ?? [];
  const wanted = (raw ?? "").replace(/^"(.*)"$/s, "$1");
  if (operator === "is" && wanted === "null") return value === null || value === undefined;
  if (value === null || value === undefined) return false;
  switch (operator) {
    case "eq":
      return String(value) === wanted;
    case "lt":
      return compare(value, wanted) < 0;
    case "lte":
      return compare(value, wanted) <= 0;
    default:
      throw new Error(`this stand-in does not know ${operator}`);
  }
}

function compare(one: Value | undefined, other: Value | undefined): number {
  const [a, b] = [String(one ?? ""), String(other ?? "")];
  return a < b ? -1 : a > b ? 1 : 0;
}

function refusal(status: number, code: string, message: string): Response {
  return Response.json({ code, message, details: null, hint: null }, { status });
}
