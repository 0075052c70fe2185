// Edge functions as processes of their own, each started at its first call.

interface Started {
  url: Promise<string>;
  process: Deno.ChildProcess;
}

export class Functions {
  readonly #started = new Map<string, Started>();

  /**
   * @param folder with one folder for each function
   * @param environment a file of their variables, NAME=value
   * @param own variables that Supabase itself gives
   */
  constructor(
    readonly folder: string,
    readonly environment: string,
    readonly own: Record<string, string>,
  ) {}

  /** Hand a request to its function, which sees the path behind /functions/v1. */
  async pass(request: Request): Promise<Response> {
    const asked = new URL(request.url);
    const path = asked.pathname.slice("/functions/v1".length);
    const name = path.split("/")[1] ?? "";
    const file = `${this.folder}/${name}/index.ts`;
    if (!/^[a-z][a-z-]*$/.test(name) || !isFile(file)) {
      return Response.json({ code: "NOT_FOUND", message: "no such function" }, { status: 404 });
    }
    const url = await this.#start(name, file);
    // `new Request` would keep the Host of this server; a body is passed on as it comes.
    return await fetch(`${url}${path}${asked.search}`, {
      method: request.method,
      headers: request.headers,
      body: request.body,
      redirect: "manual",
    });
  }

  /** End all of them. */
  end(): void {
    for (const { process } of this.#started.values()) process.kill("SIGTERM");
  }

  #start(name: string, file: string): Promise<string> {
    let found = this.#started.get(name);
    if (found === undefined) {
      const process = new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-remote", "--no-prompt", "--allow-net", "--allow-env", file],
        env: { ...this.#variables(), ...this.own, DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0" },
        stdin: "null",
        stdout: "inherit",
        stderr: "piped",
      }).spawn();
      found = { process, url: listening(process) };
      this.#started.set(name, found);
    }
    return found.url;
  }

  #variables(): Record<string, string> {
    const found: Record<string, string> = {};
    for (const line of Deno.readTextFileSync(this.environment).split("\n")) {
      const parts = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line);
      if (parts?.[1] !== undefined) found[parts[1]] = parts[2] ?? "";
    }
    return found;
  }
}

/** The address a function says it listens to; what else it says is passed on. */
async function listening(process: Deno.ChildProcess): Promise<string> {
  const [mine, others] = process.stderr.tee();
  const passing = others.pipeTo(Deno.stderr.writable, { preventClose: true });
  passing.catch(() => null);
  let said = "";
  for await (const text of mine.pipeThrough(new TextDecoderStream())) {
    said += text;
    const found = /Listening on (http:\/\/127\.0\.0\.1:\d+)\//.exec(said);
    if (found?.[1] !== undefined) return found[1];
  }
  throw new Error(`a function did not start: ${said.slice(-2000)}`);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
