// The yardstick: a bare streaming proxy on node:http with a keep-alive agent. No metering, no logging, no keys.
import http from "node:http";

const upstream = new URL(process.env.UPSTREAM ?? "http://127.0.0.1:9901");
const agent = new http.Agent({ keepAlive: true });
http
  .createServer((request, response) => {
    const { host: _host, connection: _connection, ...headers } = request.headers;
    const call = http.request(
      { host: upstream.hostname, port: upstream.port, path: request.url, method: request.method, headers, agent },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    call.on("error", () => response.destroy());
    response.on("close", () => {
      if (!response.writableFinished) call.destroy();
    });
    request.pipe(call);
  })
  .listen(Number(process.env.PORT ?? 9902), "127.0.0.1");
