import { died } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { Call, Routes } from '../world/world.ts';
import { assertUnchanged, listDigest, withDigest } from './digest.ts';
import { copyRule, dropProperties, verifyRule, type Rule, type RuleWorld } from './rule.ts';

/** A list of rules, whoever has it. */
export interface RuleList {
  rules: Rule[];
  world: RuleWorld;
}

/** RulesBase of API2/Firewall/Rules.pm: a new rule is the first, whatever `pos` says. */
export function ruleRoutes(base: string, listOf: (call: Call) => RuleList): Routes {
  return {
    [`GET ${base}`]: (call) => {
      const rules = withDigest(listOf(call).rules) as JsonObject[];
      return rules.map((rule, pos) => ({ ...rule, pos }));
    },
    [`POST ${base}`]: (call) => {
      const { rules, world } = listOf(call);
      rules.unshift({ enable: 0, ...verifyRule(copyRule({}, call.given), world) });
      call.world.save();
      return null;
    },
    [`GET ${base}/{pos}`]: (call) => {
      const { rules } = listOf(call);
      return { ...ruleAt(call, rules), pos: String(call.given.pos), digest: listDigest(rules) };
    },
    [`PUT ${base}/{pos}`]: (call) => changeRule(call, listOf(call)),
    [`DELETE ${base}/{pos}`]: (call) => {
      const { rules } = listOf(call);
      assertUnchanged(call, listDigest(rules));
      ruleAt(call, rules);
      rules.splice(Number(call.given.pos), 1);
      call.world.save();
      return null;
    },
  };
}

function ruleAt(call: Call, rules: Rule[]): Rule {
  const rule = rules[Number(call.given.pos)];
  if (rule === undefined) throw died(`no rule at position ${String(call.given.pos)}`);
  return rule;
}

function changeRule(call: Call, { rules, world }: RuleList): Json {
  const { given } = call;
  assertUnchanged(call, listDigest(rules));
  const rule = ruleAt(call, rules);
  const pos = Number(given.pos);
  if (given.moveto !== undefined && Number(given.moveto) !== pos) moveRule(rules, pos, Number(given.moveto));
  else {
    const changed = copyRule(rule, given);
    const names = given.delete === undefined ? '' : String(given.delete);
    rules[pos] = verifyRule(dropProperties(changed, names), world);
  }
  call.world.save();
  return null;
}

/** Before the rule that stood at the new place; at the end when there is none. */
function moveRule(rules: Rule[], from: number, to: number): void {
  const [rule] = rules.slice(from, from + 1);
  const target = rules[to];
  rules.splice(from, 1);
  if (rule) rules.splice(target === undefined ? rules.length : rules.indexOf(target), 0, rule);
}
