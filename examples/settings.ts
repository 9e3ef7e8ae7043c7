// Where the gateway is, and which model to ask.
export const url: string = process.env["HEDDLE_URL"] ?? "http://127.0.0.1:8787";
export const model: string = process.env["HEDDLE_MODEL"] ?? "echo/echo";
/** Under open access any key will do; the SDKs only insist on having one. */
export const apiKey: string = process.env["HEDDLE_API_KEY"] ?? "none-needed";
export const print = (text: string): void => void process.stdout.write(text);
