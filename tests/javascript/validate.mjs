// Reads {schemas, cases: [[name, value]]} and writes {ajv: [verdict], zod: [verdict]}.

import Ajv from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { text } from "node:stream/consumers";
import { fromJSONSchema } from "zod";

const { schemas, cases } = JSON.parse(await text(process.stdin));
const whole = (name) => ({ $ref: `#/$defs/${name}`, $defs: schemas });
const ajv = formats.default(new Ajv.default({ strict: true, strictTypes: false }));

function verdicts(validatorOf) {
  const validators = new Map();
  return cases.map(([name, value]) => {
    if (!validators.has(name)) validators.set(name, validatorOf(whole(name)));
    return validators.get(name)(value);
  });
}

console.log(
  JSON.stringify({
    ajv: verdicts((schema) => ajv.compile(schema)),
    zod: verdicts((schema) => {
      const validator = fromJSONSchema(schema);
      return (value) => validator.safeParse(value).success;
    }),
  }),
);
