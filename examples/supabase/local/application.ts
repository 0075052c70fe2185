// An application's part: upload a data set, insert a row, wait until it has ended. Calls the function
// process-training-jobs as the database's cron job would.
//
//   deno run application.ts ROWS.jsonl BASE_MODEL EPOCHS

const [file, baseModel, epochs] = Deno.args;
if (file === undefined || baseModel === undefined) throw new Error("give a file and a base model");

const url = Deno.env.get("SUPABASE_URL") ?? "";
const key = Deno.env.get("SUPABASE_KEY") ?? "";
const headers = { apikey: key, authorization: `Bearer ${key}`, "content-type": "application/json" };
const user = crypto.randomUUID();
const EVERY_MS = 1000;
const CALLBACK_MS = 60_000;

type Row = {
  id: string;
  status: string;
  progress: number;
  current_step: number;
  metrics: { training_loss: number | null } | null;
  adapter_path: string | null;
  error_code: string | null;
  error_message: string | null;
  advice: string | null;
  callback_id: string | null;
};

const path = `${user}/rows.jsonl`;
await told(`/storage/v1/object/training-datasets/${path}`, "POST", await Deno.readFile(file));
const [job] = await told(
  "/rest/v1/training_jobs",
  "POST",
  JSON.stringify({
    user_id: user,
    dataset_path: path,
    hyperparameters: { base_model: baseModel, num_epochs: Number(epochs ?? 1), lora_rank: 8 },
  }),
) as [Row];
say(`row ${job.id}: ${job.status}`);

let row = job;
while (!["completed", "failed", "cancelled"].includes(row.status)) {
  await process();
  const before = line(row);
  row = await read();
  if (line(row) !== before) say(line(row));
  await pause();
}
if (row.status !== "completed") {
  say([row.error_code, row.error_message, row.advice].filter((one) => one !== null).join(": "));
  Deno.exit(1);
}
say(`adapter: ${row.adapter_path}`);

const until = Date.now() + CALLBACK_MS;
while (row.callback_id === null && Date.now() < until) {
  await pause();
  row = await read();
}
say(row.callback_id === null ? "no callback came" : `callback taken: ${row.callback_id}`);
Deno.exit(row.callback_id === null ? 1 : 0);

async function process(): Promise<void> {
  const answer = await fetch(`${url}/functions/v1/process-training-jobs`, {
    method: "POST",
    headers: { authorization: `Bearer ${Deno.env.get("TRAINING_CRON_KEY") ?? ""}` },
  });
  const body = await answer.text();
  if (!answer.ok) throw new Error(`process-training-jobs answers ${answer.status}: ${body}`);
}

async function read(): Promise<Row> {
  const rows = await told(`/rest/v1/training_jobs?id=eq.${job.id}`, "GET") as Row[];
  if (rows[0] === undefined) throw new Error("the row is gone");
  return rows[0];
}

async function told(place: string, method: string, body?: BodyInit): Promise<unknown> {
  const answer = await fetch(url + place, { method, headers, ...(body ? { body } : {}) });
  if (!answer.ok) throw new Error(`${place} answers ${answer.status}: ${await answer.text()}`);
  return await answer.json();
}

function line(row: Row): string {
  const loss = row.metrics?.training_loss;
  const parts = [row.status, `${row.progress} %`, `step ${row.current_step}`];
  return [...parts, ...(typeof loss === "number" ? [`loss ${loss.toFixed(3)}`] : [])].join(", ");
}

function say(text: string): void {
  // deno-lint-ignore no-console -- what the example is for
  console.log(`   ${text}`);
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
}
