# One image for the API, the worker, the migrations and the command line: the command says which.
# Debian, not Alpine: Temporal's native part needs glibc.
FROM node:24.21.0-bookworm-slim

RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*

ENV NODE_ENV=production
WORKDIR /app

# The optional packages stay: among them are the native parts of Temporal's bundler. Only Node goes, which the
# image has already.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev \
 && rm -rf node_modules/node-linux-* node_modules/.bin/node \
 && npm cache clean --force

COPY . .

USER node
EXPOSE 8080
CMD ["node", "bin/api.ts"]
