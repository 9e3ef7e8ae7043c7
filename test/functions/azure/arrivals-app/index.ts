// A function with the app's own bounds on what arrives, set low.
import { channel } from "node:diagnostics_channel";
import { createRequire } from "node:module";
import { app } from "@azure/functions";
import { boundArrivals } from "../../../../functions/azure/arrivals.ts";
import { watchConnections } from "../../../../functions/azure/connections.ts";

/** What the library is given, as long as it, or anything else, keeps it. */
const given: WeakRef<object>[] = [];
channel("http.server.request.start").subscribe((message) => {
  given.push(new WeakRef((message as { request: object }).request));
});

const ms = Number(process.env["ARRIVAL_MS"]);
const connections = watchConnections();

app.setup({ enableHttpStream: true });
app.http("gateway", {
  route: "{*path}",
  methods: ["GET", "POST"],
  authLevel: "anonymous",
  handler: async (request, context) => {
    if (request.query.has("kept")) {
      globalThis.gc?.();
      return { jsonBody: given.filter((each) => each.deref() !== undefined).length };
    }
    const claimed = connections.of(context.invocationId) !== undefined;
    // Longer than a request may be without its function.
    if (request.query.has("slow")) await new Promise((resolve) => setTimeout(resolve, 3 * ms));
    return { jsonBody: { claimed, said: await request.text() } };
  },
});
boundArrivals(ms);

type Model = { getInvocationModel: (context: object) => unknown };
const core = createRequire(import.meta.url)("@azure/functions-core") as { getProgrammingModel: () => Model };
const model = core.getProgrammingModel();
const make = model.getInvocationModel.bind(model);
model.getInvocationModel = (context) => {
  given.push(new WeakRef(context));
  return make(context);
};
