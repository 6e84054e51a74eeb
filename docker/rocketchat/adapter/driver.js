'use strict';
// The driver protocol (docker/DRIVER.md): every verb is one POST, and every verb except `register` needs an access token.

const { FederationRequestError } = require('@rocket.chat/federation-sdk');
const { Refusal } = require('./http');
const { verbs, notOffered } = require('./verbs');

const ROOT = '/samklang/driver/v1/';

/** Turns an error of the SDK into a refusal if the SDK's authorisation rules or the other server refused. */
function asRefusal(error) {
  if (error.name === 'StateResolverAuthorizationError') return new Refusal(403, 'M_FORBIDDEN', error.message);
  const status = error instanceof FederationRequestError ? error.response.status : undefined;
  if (status >= 400 && status < 500) {
    return new Refusal(status, status === 403 ? 'M_FORBIDDEN' : 'M_UNKNOWN', error.message);
  }
  return error;
}

function driver(world) {
  const offered = verbs(world);
  return async (request, body = {}) => {
    if (request.method !== 'POST' || !request.url.startsWith(ROOT)) {
      throw new Refusal(404, 'M_UNRECOGNIZED', 'only the driver protocol is served here');
    }
    const verb = request.url.slice(ROOT.length);
    if (verb === 'register') return { body: await world.accounts.register(body.localpart) };
    const me = await world.accounts.sender(request);
    if (!Object.hasOwn(offered, verb)) throw notOffered(`the SDK has no function for ${verb}`);
    try {
      return { body: await offered[verb](me, body) };
    } catch (error) {
      throw asRefusal(error);
    }
  };
}

module.exports = { driver };
