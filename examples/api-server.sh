#!/bin/sh
# From docs/api-server.md, which explains it and whose commands the tests run. npm run examples writes this file.
# shellcheck disable=SC2016 # what stands between '' is for another shell
set -eu

echo true | docker exec -i hermes hermes env set API_SERVER_ENABLED
echo 0.0.0.0 | docker exec -i hermes hermes env set API_SERVER_HOST
openssl rand -hex 32 | docker exec -i hermes hermes env set API_SERVER_KEY
docker exec hermes hermes gateway restart

API_SERVER_KEY=$(sed -n 's/^API_SERVER_KEY=//p' ~/.hermes/.env)
curl --fail -H "Authorization: Bearer $API_SERVER_KEY" -d '{"model": "default", "messages": [{"role": "user", "content": "Hello"}]}' \
  http://localhost:8642/v1/chat/completions

API_SERVER_KEY=$(sed -n 's/^API_SERVER_KEY=//p' ~/.hermes/.env)
curl --fail -i -H "Authorization: Bearer $API_SERVER_KEY" -H "X-Request-Id: order-66" http://localhost:8642/v1/models

API_SERVER_KEY=$(sed -n 's/^API_SERVER_KEY=//p' ~/.hermes/.env)
curl --fail -H "Authorization: Bearer $API_SERVER_KEY" -d '{"model": "default", "input": "Hello"}' http://localhost:8642/v1/responses
