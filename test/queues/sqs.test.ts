// Messages over SQS: what is sent, and what the service's refusals mean.
import { ChangeMessageVisibilityCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { mockClient } from "aws-sdk-client-mock";
import { beforeEach, expect, test } from "vitest";
import { messageId, openSqs } from "../../lib/queues/sqs.ts";
import { failureOf } from "../support/failure.ts";

const service = mockClient(SQSClient);
beforeEach(() => service.reset());

const url = "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs";
const open = (tries = 3) =>
  openSqs({
    url,
    policy: { tries },
    client: { region: "eu-west-1", credentials: { accessKeyId: "fake", secretAccessKey: "fake" } },
  });
const refusal = (name: string, status: number): Error =>
  Object.assign(new Error("no"), { name, $metadata: { httpStatusCode: status } });
const sent = (): unknown[] => service.commandCalls(SendMessageCommand).map((call) => call.args[0].input);

test("an id, and nothing else (F52); what is due late waits no longer than the service can", async () => {
  service.on(SendMessageCommand).resolves({ MessageId: "m" });
  const queue = await open();
  await queue.send({ id: "thread/a/b" });
  await queue.send({ id: "thread/a/b" }, 1.2);
  await queue.send({ id: "thread/a/b" }, 86_400);
  const MessageBody = '{"id":"thread/a/b"}';
  expect(sent()).toEqual([
    { QueueUrl: url, MessageBody },
    { QueueUrl: url, MessageBody, DelaySeconds: 2 },
    { QueueUrl: url, MessageBody, DelaySeconds: 900 },
  ]);
  expect(messageId(MessageBody)).toBe("thread/a/b");
});

test("a message stays hidden for as long as it is asked for", async () => {
  service.on(ChangeMessageVisibilityCommand).resolves({});
  await (await open()).extend("a-fake-receipt", 120);
  expect(service.commandCalls(ChangeMessageVisibilityCommand)[0]?.args[0].input).toEqual({
    QueueUrl: url,
    ReceiptHandle: "a-fake-receipt",
    VisibilityTimeout: 120,
  });
});

test.each([
  ["ThrottlingException", 400],
  ["RequestThrottled", 403],
  ["ExpiredToken", 403],
  ["ServiceUnavailable", 503],
])("%s passes: the message is sent again", async (name, status) => {
  service.on(SendMessageCommand).rejectsOnce(refusal(name, status)).resolves({ MessageId: "m" });
  await (await open()).send({ id: "thread/a/b" });
  expect(sent()).toHaveLength(2);
});

test("what goes on is an outage, what is refused for good is told at once", async () => {
  const queue = await open(2);
  service.on(SendMessageCommand).rejects(refusal("ThrottlingException", 400));
  expect(await failureOf(queue.send({ id: "thread/a/b" }))).toMatchObject({ code: "storage" });
  expect(sent()).toHaveLength(2);
  service.on(SendMessageCommand).rejects(refusal("AccessDenied", 403));
  const error = await failureOf(queue.send({ id: "thread/a/b" }));
  expect(error).toMatchObject({ code: "storage", message: "SQS refused a request: AccessDenied." });
  expect(sent()).toHaveLength(3);
});

test.each(["", "x", "{}", "[]", '{"id":1}', "null"])("no message of this gateway's: %j", (body) => {
  expect(messageId(body)).toBeUndefined();
});
