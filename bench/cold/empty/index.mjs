// A streaming function that does nothing: what the runtime alone costs.

/* global awslambda */
export const handler = awslambda.streamifyResponse(async (_event, out) => {
  const stream = awslambda.HttpResponseStream.from(out, {
    statusCode: 200,
    headers: { "content-type": "text/event-stream" },
  });
  stream.write("data: {}\n\n");
  stream.write("data: [DONE]\n\n");
  stream.end();
});
