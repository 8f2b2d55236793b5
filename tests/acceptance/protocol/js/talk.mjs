// Talks to an Agent Server through the public JavaScript client and prints what it found, as one JSON object.
import { Client } from "@langchain/langgraph-sdk";

const address = process.argv[2];
const client = new Client({ apiUrl: address, apiKey: null });
const found = {};

const collect = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
};
const failing = async (promise) => {
  try {
    await promise;
    return null;
  } catch (error) {
    return { status: error.status ?? null, message: String(error.message) };
  }
};
const newThread = async (options) => (await client.threads.create(options)).thread_id;
const until = async (look) => {
  for (let tries = 0; tries < 400; tries += 1) {
    if (await look()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error("waited too long");
};
const begun = (thread) =>
  until(async () => (await client.threads.getHistory(thread, { limit: 1 }))[0]?.next[0] === "work");

// Assistants
const [assistant] = await client.assistants.search({ graphId: "steps", limit: 1 });
found.assistant_graph = assistant.graph_id;
found.graph_nodes = (await client.assistants.getGraph("steps")).nodes.map((node) => node.id);
found.schema_keys = Object.keys(await client.assistants.getSchemas(assistant.assistant_id)).sort();

// Threads
const thread = await newThread({ metadata: { from: "js" } });
found.thread_metadata = (await client.threads.get(thread)).metadata;
found.thread_search = (await client.threads.search({ ids: [thread] })).map((each) => each.thread_id === thread);
found.thread_missing = await failing(client.threads.get("6ba7b821-9dad-11d1-80b4-00c04fd430c9"));

// Runs
found.wait = await client.runs.wait(thread, "steps", { input: { note: "js" } });
found.wait_stateless = await client.runs.wait(null, "steps", { input: { note: "free" } });
found.wait_error = await failing(client.runs.wait(null, "works", { input: { fail: "boom" } }));
found.run_statuses = (await client.runs.list(thread)).map((run) => run.status);
const heard = [];
const parts = await collect(
  client.runs.stream(await newThread(), "steps", {
    input: { note: "s" },
    streamMode: ["values", "updates"],
    onRunCreated: (run) => heard.push(run),
  }),
);
found.stream_events = parts.map((part) => part.event);
found.stream_last = parts.at(-1).data;
found.run_created = heard.map((run) => [run.run_id === parts[0].data.run_id, typeof run.thread_id]);
found.stream_stateless = (await collect(client.runs.stream(null, "steps", { input: { note: "x" } }))).map(
  (part) => part.event,
);
const tokens = await collect(
  client.runs.stream(null, "tokens", {
    input: { messages: [{ role: "user", content: "hi" }] },
    streamMode: "messages-tuple",
  }),
);
found.tokens = tokens.filter((part) => part.event === "messages").map((part) => part.data[0].content).join("");
found.stream_error = (
  await collect(client.runs.stream(null, "works", { input: { fail: "boom" } }))
).at(-1);

// Joining
const resumable = await newThread();
const run = await client.runs.create(resumable, "works", {
  input: { ticks: 5 },
  streamMode: ["custom"],
  streamResumable: true,
});
const joined = await collect(client.runs.joinStream(resumable, run.run_id));
found.join_ticks = joined.filter((part) => part.event === "custom").map((part) => part.data.tick);
const again = await collect(client.runs.joinStream(resumable, run.run_id, { lastEventId: "-1" }));
found.join_again = again.map((part) => part.event);
const rest = await collect(client.runs.joinStream(resumable, run.run_id, { lastEventId: again[2].id }));
found.join_rest = rest.map((part) => part.data.tick);
found.join_values = (await client.runs.join(resumable, run.run_id)).trail;
found.run_status = (await client.runs.get(resumable, run.run_id)).status;

// Leaving: unless told otherwise the run goes on
for (const [name, options] of [
  ["leave", {}],
  ["leave_resumable", { streamResumable: true }],
  ["leave_continue", { onDisconnect: "continue" }],
  ["leave_cancel", { onDisconnect: "cancel" }],
]) {
  const left = await newThread();
  const leaving = new AbortController();
  const stream = client.runs.stream(left, "works", { input: { seconds: 2 }, signal: leaving.signal, ...options });
  await stream.next();
  await begun(left);
  leaving.abort();
  await until(async () => !["pending", "running"].includes((await client.runs.list(left))[0].status));
  found[name] = (await client.runs.list(left))[0].status;
}

// State
const history = await client.threads.getHistory(thread, { limit: 10 });
found.history_next = history.map((state) => state.next);
found.state_values = (await client.threads.getState(thread)).values;
const older = history.find((state) => state.next[0] === "b");
found.state_at = (await client.threads.getState(thread, older.checkpoint)).values;
await client.threads.updateState(thread, { values: { note: "changed" }, asNode: "b" });
found.state_next = (await client.threads.getState(thread)).next;
found.fork = await client.runs.wait(thread, "steps", { input: null, checkpoint: older.checkpoint });
const copy = await client.threads.copy(thread);
found.copy = (await client.threads.getState(copy.thread_id)).values;

// Questions
const asked = await newThread();
found.question = (await client.runs.wait(asked, "asks", { input: { trail: [] } })).__interrupt__[0].value;
const waiting = await client.threads.get(asked);
found.asked_status = waiting.status;
found.asked_interrupts = Object.values(waiting.interrupts).map(([interrupt]) => interrupt.value);
found.answered = await client.runs.wait(asked, "asks", { command: { resume: "js" } });
const stopped = await newThread();
await client.runs.wait(stopped, "steps", { input: {}, interruptBefore: ["c"] });
found.stopped_next = (await client.threads.getState(stopped)).next;
found.went_on = (await client.runs.wait(stopped, "steps", { input: null })).trail;

// Stopping
const busy = await newThread();
const long = await client.runs.create(busy, "works", { input: { seconds: 30 } });
await begun(busy);
found.busy_status = (await client.threads.get(busy)).status;
found.rejected = await failing(client.runs.create(busy, "works", { input: {}, multitaskStrategy: "reject" }));
await client.runs.cancel(busy, long.run_id, true);
found.cancelled = (await client.runs.get(busy, long.run_id)).status;
await client.runs.delete(busy, long.run_id);
found.deleted = await client.runs.list(busy);
found.batch = (await client.runs.createBatch([{ assistantId: "steps", input: {} }, { assistantId: "steps", input: {} }]))
  .length;

// Crons
const cron = await client.crons.create("steps", { schedule: "0 0 1 1 *", input: { note: "cron" } });
found.cron_found = (await client.crons.search({ limit: 100 })).some((each) => each.cron_id === cron.cron_id);
await client.crons.delete(cron.cron_id);
found.cron_left = (await client.crons.search({ limit: 100 })).some((each) => each.cron_id === cron.cron_id);

// Store
const place = ["js", crypto.randomUUID()];
await client.store.putItem(place, "key", { value: 1 });
found.item = (await client.store.getItem(place, "key")).value;
found.items = (await client.store.searchItems(place)).items.map((item) => item.key);
found.namespaces = (await client.store.listNamespaces({ prefix: place })).namespaces.length;
await client.store.deleteItem(place, "key");
found.items_left = (await client.store.searchItems(place)).items;

await client.threads.delete(thread);
found.thread_deleted = (await failing(client.threads.get(thread)))?.status;

process.stdout.write(JSON.stringify(found));
