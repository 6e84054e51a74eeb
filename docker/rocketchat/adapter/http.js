'use strict';
// HTTP for both listeners: a limited body, JSON in and out, and errors in the form of Matrix.

const LARGEST_BODY = 16 * 1024 * 1024;

/** An answer that is an error: `throw new Refusal(403, 'M_FORBIDDEN', 'why')`. */
class Refusal extends Error {
  constructor(status, errcode, message, more = {}) {
    super(message);
    this.answer = { status, body: { errcode, error: message, ...more } };
  }
}

/** The answer for an error; an SDK error keeps its own code if it has one. */
function answerTo(error) {
  if (error instanceof Refusal) return error.answer;
  const { status = 400, errcode } = error;
  if (errcode) {
    const version = error.roomVersion ? { room_version: error.roomVersion } : {};
    return { status, body: { errcode, error: error.message, ...version } };
  }
  if (Number.isInteger(error.status)) {
    return { status, body: { errcode: status === 403 ? 'M_FORBIDDEN' : 'M_UNKNOWN', error: error.message } };
  }
  return { status: 500, body: { errcode: 'M_UNKNOWN', error: String(error.message ?? error) } };
}

async function read(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > LARGEST_BODY) throw new Refusal(413, 'M_TOO_LARGE', 'the body is too large');
    chunks.push(chunk);
  }
  if (length === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new Refusal(400, 'M_NOT_JSON', 'the body is not JSON');
  }
}

/** A request listener around `handle(request, body)`, which answers with `{status?, body}` or throws. */
function listener(handle) {
  return async (request, response) => {
    let answer;
    try {
      answer = await handle(request, await read(request));
    } catch (error) {
      answer = answerTo(error);
      if (answer.status >= 500) console.error(`${request.method} ${request.url}:`, error);
    }
    const { status = 200, body } = answer;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
}

module.exports = { Refusal, listener };
