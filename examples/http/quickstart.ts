// Train over HTTP from TypeScript: submit, follow the events, ask for the status. `fetch` and nothing else,
// so it runs in Deno, Node (22.18 and newer) and Bun.
//
//   GPU_CLUSTER_API_URL=... GPU_CLUSTER_API_KEY=ptk_... DATASET_URL=... deno run -N -E quickstart.ts my-own-id

import process from "node:process";

interface Metrics {
  training_loss: number | null;
  validation_loss: number | null;
  learning_rate: number | null;
  throughput: number | null;
  gpu_utilization: number | null;
  gradient_norm: number | null;
}

interface TrainingStatus {
  status: "running" | "completed" | "failed";
  progress: number;
  current_epoch: number;
  current_step: number;
  stage: "training" | "saving" | "uploading";
  metrics: Metrics;
  error_message: string | null;
  advice: string | null;
}

interface TrainingEvent {
  id: string;
  event: string;
  data: { step?: number; metrics?: Partial<Metrics> };
}

function needed(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

const url = needed("GPU_CLUSTER_API_URL").replace(/\/+$/, "");
const headers = { authorization: `Bearer ${needed("GPU_CLUSTER_API_KEY")}` };

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const sent = { ...headers, ...init.headers as Record<string, string> | undefined };
  const answer = await fetch(url + path, { redirect: "error", ...init, headers: sent });
  if (answer.ok) return answer;
  const { error } = await answer.json() as { error: { code: string; message: string } };
  throw new Error(`${answer.status} ${error.code}: ${error.message}`);
}

/** Submit. The same job_id with the same body is the same training, so it can be sent again without fear. */
async function submit(body: Record<string, unknown>): Promise<string> {
  const answer = await ask("/training/submit", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  });
  return (await answer.json() as { external_job_id: string }).external_job_id;
}

async function status(job: string): Promise<TrainingStatus> {
  const answer = await ask(`/training/status/${job}`, { signal: AbortSignal.timeout(30_000) });
  return await answer.json() as TrainingStatus;
}

/** Events as they come; a connection that breaks is taken up again behind the last one. */
async function* events(job: string): AsyncGenerator<TrainingEvent> {
  let last = "";
  for (let broken = 0; broken < 5;) {
    const answer = await ask(`/training/events/${job}`, {
      headers: { accept: "text/event-stream", ...(last ? { "last-event-id": last } : {}) },
    });
    if (answer.status === 204 || answer.body === null) return;
    try {
      for await (const event of parsed(answer.body)) {
        [last, broken] = [event.id, 0];
        yield event;
        if (event.event === "end") return;
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // not the connection
    }
    broken += 1;
  }
}

async function* parsed(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<TrainingEvent> {
  let text = "";
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + piece).split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = new Map(
        block.split("\n").filter((line) => !line.startsWith(":")).map((line) => {
          const [name, ...rest] = line.split(": ");
          return [name ?? "", rest.join(": ")];
        }),
      );
      const [id, event, data] = ["id", "event", "data"].map((name) => fields.get(name));
      if (id && event && data) yield { id, event, data: JSON.parse(data) };
    }
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const jobId = process.argv[2];
if (!jobId) throw new Error("give an id of your own");
const job = await submit({
  job_id: jobId,
  dataset_url: needed("DATASET_URL"),
  hyperparameters: {
    base_model: process.env.BASE_MODEL ?? "HuggingFaceTB/SmolLM2-135M-Instruct",
    num_epochs: Number(process.env.EPOCHS ?? 1),
    lora_rank: 8,
  },
  ...(process.env.CALLBACK_URL ? { callback_url: process.env.CALLBACK_URL } : {}),
});
say(`submitted: ${job}`);
for await (const { event, data } of events(job)) {
  if (event === "step") say(`step ${data.step}, loss ${data.metrics?.training_loss}`);
}
const ended = await status(job);
say(`status: ${ended.status}, ${ended.progress} %`);
if (ended.status !== "completed") {
  say([ended.error_message, ended.advice].filter((one) => one !== null).join(". "));
  process.exitCode = 1;
}
