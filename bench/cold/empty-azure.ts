// A streaming function that does nothing, by the Functions library: what the platform alone costs.
import { app } from "@azure/functions";

app.setup({ enableHttpStream: true });

app.http("gateway", {
  route: "{*path}",
  methods: ["POST"],
  authLevel: "anonymous",
  handler: () => {
    const encoder = new TextEncoder();
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(encoder.encode("data: {}\n\n"));
        controller.enqueue(encoder.encode("data: [DONE]\n\n"));
        controller.close();
      },
    });
    return { status: 200, headers: { "content-type": "text/event-stream" }, body };
  },
});
