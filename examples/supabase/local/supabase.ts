// What these examples need of Supabase, on loopback: rows over REST, signed addresses of storage, and the
// functions behind /functions/v1/. For trying things out without a project; everything is kept in memory.
//
//   deno run --allow-all supabase.ts FUNCTIONS_FOLDER ENV_FILE
//
// Prints its address. A function is started at its first call, with the variables of ENV_FILE as they are
// then, without any file access, and ended with this program. Answers are those of PostgREST and of the
// storage server as far as the functions can tell; the table has the defaults of the migration.

import { rest } from "./rows.ts";
import { storage } from "./storage.ts";
import { Functions } from "./functions.ts";

/** Opens everything, as the project's secret key does. Known to everybody: for loopback only. */
const KEY = "sb_secret_local_example_key_of_nobody";

const [folder, environment] = Deno.args;
if (folder === undefined || environment === undefined) {
  throw new Error("give the functions' folder and a file of their variables");
}
let functions: Functions;

const server = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => {
    const url = `http://127.0.0.1:${port}`;
    functions = new Functions(folder, environment, {
      SUPABASE_URL: url,
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: KEY }),
    });
    // deno-lint-ignore no-console -- its one line of output
    console.log(JSON.stringify({ url, key: KEY }));
  },
}, async (request) => {
  const { pathname } = new URL(request.url);
  if (pathname.startsWith("/functions/v1/")) return await functions.pass(request);
  const isOurs = request.headers.get("apikey") === KEY;
  if (pathname.startsWith("/storage/v1/")) return await storage(request, isOurs);
  if (!isOurs) return Response.json({ message: "Invalid API key" }, { status: 401 });
  if (pathname.startsWith("/rest/v1/")) return await rest(request);
  return Response.json({ message: "no such page" }, { status: 404 });
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    functions.end();
    server.shutdown().finally(() => Deno.exit(0));
  });
}
