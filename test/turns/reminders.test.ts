// How often the queue is reminded of a run that waits.
import { expect, test } from "vitest";
import { createReminders } from "../../lib/turns/reminders.ts";

test("at once, then ever more seldom, up to a quarter of an hour; what waits anew begins anew", () => {
  let now = 0;
  const reminders = createReminders(() => now);
  const sentAt: number[] = [];
  // A sweep a minute, for two hours.
  for (let minute = 0; minute < 120; minute += 1) {
    now = minute * 60_000 + (minute % 3) * 400;
    if (reminders.due(["a"]).length > 0) sentAt.push(minute);
  }
  expect(sentAt).toEqual([0, 1, 3, 7, 15, 30, 45, 60, 75, 90, 105]);
  expect(reminders.due([])).toEqual([]);
  expect(reminders.due(["a", "b"])).toEqual(["a", "b"]);
  expect(reminders.due(["a", "b", "c"])).toEqual(["c"]);
});

test("sweeps every few seconds send no more than those every minute", () => {
  let now = 0;
  const reminders = createReminders(() => now);
  let sent = 0;
  for (; now < 600_000; now += 5_000) sent += reminders.due(["a"]).length;
  expect(sent).toBeLessThanOrEqual(5);
});
