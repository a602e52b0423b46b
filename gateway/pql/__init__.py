"""PQL, the language of eligibility rules: text in, compiled expression out; no I/O, no clock.

    rule = pql.compile('loyalty.tier = "gold" and (select e from xEvent where e.type = "flight").count() > 3')
    rule.test(pql.Facts(now=now, profile=profile, events=events, context=context)).holds

`compile` refuses a rule with RuleSyntaxError, RuleTypeError or RuleTooLarge (`gateway.errors`): line, column and
excerpt. Evaluation never raises: what goes wrong is the `fault` of the result.

On the way a rule is text (`source`), tokens (`lexer`), a tree (`parser`, `nodes`, `printer`) and closures (`compiler`
and the modules it names). `operators` and `library` are the tables of the language; `values`, `times`, `texts` and
`lists` are what its words do.
"""

from gateway.pql.expression import Expression, Outcome, Verdict, compile  # noqa: A004 - always used as `pql.compile`
from gateway.pql.facts import Facts
from gateway.pql.faults import Fault
from gateway.pql.limits import FUEL

__all__ = ["FUEL", "Expression", "Facts", "Fault", "Outcome", "Verdict", "compile"]
