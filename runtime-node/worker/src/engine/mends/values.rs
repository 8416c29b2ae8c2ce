//! Buffer, url, crypto, events, and how values are shown.

use super::Mend;

pub const MENDS: &[Mend] = &[
    // An offset is not forced to be one.
    (
        "internal/buffer.mjs",
        "readBigInt64LE(offset) {\n  offset = offset >>> 0;\n",
        "readBigInt64LE(offset = 0) {\n",
    ),
    (
        "internal/buffer.mjs",
        "readBigInt64BE(offset) {\n  offset = offset >>> 0;\n",
        "readBigInt64BE(offset = 0) {\n",
    ),
    (
        "internal/buffer.mjs",
        "readBigUInt64LE(offset) {\n      offset = offset >>> 0;\n",
        "readBigUInt64LE(offset = 0) {\n",
    ),
    (
        "internal/buffer.mjs",
        "readBigUInt64BE(offset) {\n      offset = offset >>> 0;\n",
        "readBigUInt64BE(offset = 0) {\n",
    ),
    (
        "internal/buffer.mjs",
        "  ERR_INVALID_ARG_TYPE,\n  ERR_INVALID_STATE,\n",
        "  ERR_INVALID_ARG_TYPE,\n  ERR_INVALID_BUFFER_SIZE,\n  ERR_INVALID_STATE,\n",
    ),
    (
        "internal/buffer.mjs",
        "RangeError(\"Buffer size must be a multiple of 16-bits\")",
        "ERR_INVALID_BUFFER_SIZE(\"16-bits\")",
    ),
    (
        "internal/buffer.mjs",
        "RangeError(\"Buffer size must be a multiple of 32-bits\")",
        "ERR_INVALID_BUFFER_SIZE(\"32-bits\")",
    ),
    (
        "internal/buffer.mjs",
        "RangeError(\"Buffer size must be a multiple of 64-bits\")",
        "ERR_INVALID_BUFFER_SIZE(\"64-bits\")",
    ),
    // A digest has many names, in any case.
    (
        "internal/crypto/util.ts",
        "function getHashBlockSize(algorithm: string): number {\n  const blockSize = hashBlockSizes[algorithm];\n  \
         if (blockSize === undefined) {\n    throw new ERR_CRYPTO_INVALID_DIGEST(algorithm);\n",
        "function getHashBlockSize(algorithm, given = algorithm): number {\n  \
         const plain = algorithm.replace(/^rsa-sha512\\//, \"sha512-\")\n    \
         .replace(/^(rsa-|ssl3-|id-rsassa-pkcs1-v1_5-with-)|withrsaencryption$/g, \"\");\n  \
         const blockSize = hashBlockSizes[plain];\n  \
         if (blockSize === undefined) {\n    throw new ERR_CRYPTO_INVALID_DIGEST(given);\n",
    ),
    ("internal/crypto/util.ts", "  blake2b512: 128,\n", "  blake2b512: 128,\n  sm3: 64,\n"),
    (
        "internal/crypto/hash.ts",
        "    const blockSize = getHashBlockSize(alg);\n",
        "    const blockSize = getHashBlockSize(alg, hmac);\n",
    ),
    (
        "internal/crypto/hkdf.ts",
        "  if (!SetPrototypeHas(hashes, algorithm)) {\n",
        "  if (!SetPrototypeHas(hashes, algorithm) && !SetPrototypeHas(hashes, StringPrototypeToLowerCase(algorithm))) {\n",
    ),
    (
        "internal/crypto/hkdf.ts",
        "    const size = op_node_get_hash_size(hash);\n",
        "    const size = op_node_get_hash_size(hash) ?? op_node_get_hash_size(StringPrototypeToLowerCase(hash));\n",
    ),
    // What is wrong with a cipher's key or initialization vector has a code.
    (
        "internal/crypto/cipher.ts",
        "      this._context = op_node_create_cipheriv(\n        cipher,\n        toU8(key),\n        toU8(iv),\n        \
         authTagLength,\n      );\n    } catch (e) {\n",
        "      this._context = op_node_create_cipheriv(\n        cipher,\n        toU8(key),\n        toU8(iv),\n        \
         authTagLength,\n      );\n    } catch (e) {\n      withCode(e);\n",
    ),
    (
        "internal/crypto/cipher.ts",
        "      this._context = op_node_create_decipheriv(\n        cipher,\n        toU8(key),\n        toU8(iv),\n        \
         authTagLength,\n      );\n    } catch (e) {\n",
        "      this._context = op_node_create_decipheriv(\n        cipher,\n        toU8(key),\n        toU8(iv),\n        \
         authTagLength,\n      );\n    } catch (e) {\n      withCode(e);\n",
    ),
    (
        "internal/crypto/cipher.ts",
        "function normalizeOaepHash(",
        "function withCode(e) {\n  const codes = {\n    \"Invalid key length\": \"ERR_CRYPTO_INVALID_KEYLEN\",\n    \
         \"Invalid initialization vector\": \"ERR_CRYPTO_INVALID_IV\",\n  };\n  \
         if (codes[e.message]) e.code = codes[e.message];\n}\n\nfunction normalizeOaepHash(",
    ),
    // url.parse: a colon in a host begins a port, and a name of digits is not yet an address.
    (
        "deno_node/url.ts",
        "        rest = getHostname(this, rest, hostname);\n",
        "        rest = getHostname(this, rest, hostname, url);\n",
    ),
    (
        "deno_node/url.ts",
        "function getHostname(self: Url, rest: string, hostname: string) {\n",
        "function getHostname(self: Url, rest: string, hostname: string, url: string) {\n",
    ),
    (
        "deno_node/url.ts",
        r#"    const isValid = (code >= CHAR_LOWERCASE_A && code <= CHAR_LOWERCASE_Z) ||
      code === CHAR_DOT ||
      (code >= CHAR_UPPERCASE_A && code <= CHAR_UPPERCASE_Z) ||
      (code >= CHAR_0 && code <= CHAR_9) ||
      code === CHAR_HYPHEN_MINUS ||
      code === CHAR_PLUS ||
      code === CHAR_UNDERSCORE ||
      code > 127;
"#,
        r#"    const isValid = !StringPrototypeIncludes("/\\#?:", hostname[i]);
    if (hostname[i] === ":") throw new ERR_INVALID_ARG_VALUE("url", "Invalid port in url", url);
"#,
    ),
    (
        "deno_node/url.ts",
        "          this.hostname = idnaToASCII(this.hostname);\n",
        "          if (/[^\\0-\\x7f]|xn--/.test(this.hostname)) this.hostname = idnaToASCII(this.hostname);\n",
    ),
    (
        "deno_node/url.ts",
        "          case CHAR_TAB:\n          case CHAR_LINE_FEED:\n          case CHAR_CARRIAGE_RETURN:\n          case CHAR_SPACE:\n",
        "          case CHAR_TAB:\n          case CHAR_LINE_FEED:\n          case CHAR_CARRIAGE_RETURN:\n            \
         rest = rest.slice(0, i) + rest.slice(i + 1);\n            i -= 1;\n            break;\n          case CHAR_SPACE:\n",
    ),
    (
        "deno_node/url.ts",
        "        switch (code) {\n          case CHAR_HASH:\n            hasHash = true;\n",
        "        switch (code) {\n          case CHAR_AT:\n            hasAt = true;\n            break;\n          \
         case CHAR_HASH:\n            hasHash = true;\n",
    ),
    (
        "deno_node/url.ts",
        "    let lastPos = 0;\n    for (let i = 0, inWs",
        "    let lastPos = 0;\n    let hasAt = false;\n    for (let i = 0, inWs",
    ),
    (
        "deno_node/url.ts",
        "    if (!slashesDenoteHost && !hasHash) {\n",
        "    if (!slashesDenoteHost && !hasHash && !hasAt) {\n",
    ),
    // A URL that is none is told in properties.
    (
        "deno_node/internal/errors.ts",
        "    super(\"ERR_INVALID_URL\", `Invalid URL: ${input}`);\n",
        "    super(\"ERR_INVALID_URL\", \"Invalid URL\");\n",
    ),
    (
        "deno_web/00_url.js",
        "    throw new TypeError(\n      `Invalid URL: '${href}'` +\n        \
         (maybeBase ? ` with base '${maybeBase}'` : \"\"),\n    );\n",
        "    const fault = new TypeError(\"Invalid URL\");\n    fault.code = \"ERR_INVALID_URL\";\n    fault.input = href;\n    \
         if (maybeBase !== undefined) fault.base = maybeBase;\n    throw fault;\n",
    ),
    (
        "deno_fetch/23_request.js",
        "      const parsedURL = new URL(input, baseURL);\n",
        "      let parsedURL;\n      try {\n        parsedURL = new URL(input, baseURL);\n      } catch (cause) {\n        \
         throw new TypeError(`Failed to parse URL from ${input}`, { cause });\n      }\n",
    ),
    // What is dispatched is an Event.
    (
        "deno_web/02_event.js",
        r#"    webidl.requiredArguments(
      arguments.length,
      1,
      "Failed to execute 'dispatchEvent' on 'EventTarget'",
    );
"#,
        r#"    if (!(event instanceof Event)) {
      const { ERR_INVALID_ARG_TYPE, ERR_MISSING_ARGS } = core.loadExtScript("ext:deno_node/internal/errors.ts");
      if (arguments.length === 0) throw new ERR_MISSING_ARGS("event");
      throw new ERR_INVALID_ARG_TYPE("event", "Event", event);
    }
"#,
    ),
    // What is shown of a signal and of a URL.
    (
        "deno_web/03_abort_signal.js",
        "  [SymbolFor(\"Deno.privateCustomInspect\")](inspect, inspectOptions) {\n    return inspect(\n      \
         createFilteredInspectProxy({\n        object: this,\n        \
         evaluate: ObjectPrototypeIsPrototypeOf(AbortSignalPrototype, this),\n        keys: [\n          \
         \"aborted\",\n          \"reason\",\n          \"onabort\",\n",
        "  [SymbolFor(\"Deno.privateCustomInspect\")](inspect, inspectOptions) {\n    \
         if (inspectOptions?.depth < (inspectOptions?.seen?.length ?? 0)) return \"[AbortSignal]\";\n    return inspect(\n      \
         createFilteredInspectProxy({\n        object: this,\n        \
         evaluate: ObjectPrototypeIsPrototypeOf(AbortSignalPrototype, this),\n        keys: [\n          \
         \"aborted\",\n",
    ),
    (
        "deno_web/00_url.js",
        "  [SymbolFor(\"Deno.privateCustomInspect\")](inspect, inspectOptions) {\n    return inspect(\n",
        "  [SymbolFor(\"Deno.privateCustomInspect\")](inspect, inspectOptions) {\n    \
         if (inspectOptions?.depth < (inspectOptions?.seen?.length ?? 0)) return \"URL {}\";\n    return inspect(\n",
    ),
    (
        "deno_web/00_url.js",
        "          \"hash\",\n          \"search\",\n",
        "          \"search\",\n          \"searchParams\",\n          \"hash\",\n",
    ),
];
