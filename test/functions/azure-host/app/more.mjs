// A second file that `main` matches: a queue and a timer.
import { app } from "@azure/functions";

app.storageQueue("worker", {
  queueName: "%TRIAL_QUEUE%",
  connection: "AzureWebJobsStorage",
  handler: async (message, context) => {
    const { dequeueCount, id } = context.triggerMetadata;
    console.log(JSON.stringify({ worked: message, dequeueCount, id: typeof id }));
    if (message?.act === "fail" || message === "fail") throw new Error("the job failed");
    if (message?.act === "fail-once" && dequeueCount === 1) throw new Error("the job failed once");
    if (message?.act === "exit" && dequeueCount === 1) process.exit(4);
    if (message?.act === "slow") await new Promise((done) => setTimeout(done, 2_500));
  },
});

app.timer("sweeper", {
  schedule: process.env.TRIAL_SCHEDULE ?? "0 0 0 1 1 *",
  runOnStartup: process.env.TRIAL_STARTUP === "1",
  handler: async (timer) => {
    console.log(JSON.stringify({ swept: timer }));
  },
});
