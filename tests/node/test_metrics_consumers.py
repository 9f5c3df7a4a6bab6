"""What a real Prometheus, the alert rules and the dashboard make of the metrics."""

import json
import re

import yaml

import support
from support import NodeTest, topology
from support.metrics import DROPS, FROM_PROMETHEUS, LABELS, PACKAGING, Watch, free_port, refused_datagrams, refused_labels


def expressions():
    """(where, expression) of the dashboard and the rules, the dashboard's variables filled in."""
    rules = yaml.safe_load((PACKAGING / "prometheus" / "dptrace.rules.yaml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]
    dashboard = json.loads((PACKAGING / "grafana" / "dptrace-drops.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            filled = target["expr"].replace("$instance", ".*")
            yield panel["title"], re.sub(r"\$__(rate_interval|range)", "1m", filled)


class Consumers(NodeTest):
    """Prometheus, from Debian's package, on the node: it scrapes every second."""

    @classmethod
    def setUpClass(cls):
        cls.nodes = topology()
        cls.pod1, cls.pod2 = cls.nodes.pod1, cls.nodes.pod2
        cls.watch = cls.enterClassContext(Watch())
        cls.prometheus = cls.enterClassContext(support.Prometheus(cls.nodes.n1, free_port(cls.nodes.n1), {
            "rule_files": [str(PACKAGING / "prometheus" / "dptrace.rules.yaml")],
            "scrape_configs": [
                {"job_name": "dptrace", "static_configs": [{"targets": [f"127.0.0.1:{cls.watch.port}"]}]}
            ],
        }))
        refused_datagrams(cls.pod1, cls.pod2, 40)
        cls.wait_for(f"{DROPS} > 0")

    @classmethod
    def wait_for(cls, expression):
        return cls.prometheus.wait_for(lambda: cls.prometheus.query(expression),
                                       lambda: f"{expression} in {cls.watch.get()[1]}")

    def test_the_query_of_the_readme(self):
        query = re.search(r"^    (topk.*dptrace_drop_packets_total.*)$", (support.ROOT / "README.md").read_text(), re.M)
        expression = query.group(1)
        refused_datagrams(self.pod1, self.pod2, 10)
        wanted = {"namespace": "default", "pod": self.pod1.name, "reason": refused_labels(self.pod1)["reason"]}
        wanted = {name: value for name, value in wanted.items() if value}  # Prometheus knows no empty labels
        found = self.wait_for(f"({expression}) > 0")
        self.assertIn(wanted, [labels for labels, _ in found])

    def test_counts_arrive_as_they_are(self):
        labels = refused_labels(self.pod1)
        refused_datagrams(self.pod1, self.pod2, 3)
        selector = ",".join(f'{name}="{value}"' for name, value in labels.items())
        self.watch.wait_for(43, DROPS, **labels)
        counted = self.watch.value(DROPS, **labels)
        self.wait_for(f"sum({DROPS}{{{selector}}}) == {counted:.0f}")

    def test_up(self):
        self.assertEqual([value for _, value in self.wait_for('up{job="dptrace"} == 1')], [1])

    def test_the_recording_rule_counts_the_first_drops(self):
        found = self.wait_for(
            f'instance_reason_namespace_pod:dptrace_drop_packets:increase5m{{pod="{self.pod1.name}"}} >= 40')
        self.assertEqual(len(found), 1, found)

    def test_dashboard_and_rules_are_answered(self):
        """Every expression is one, and names only what is exported."""
        exported = LABELS | {"up": [], "instance_reason_namespace_pod:dptrace_drop_packets:increase5m":
                             ["reason", "namespace", "pod"]}
        seen = set()
        for where, expression in expressions():
            with self.subTest(where):
                self.prometheus.query(expression)  # raises when it is not understood
                metrics = set(re.findall(r"\b(?:up|[a-z_]*:?dptrace_\w+(?::\w+)?)\b", expression))
                self.assertLessEqual(metrics, set(exported))
                self.assertTrue(metrics, expression)
                known = FROM_PROMETHEUS.union(*(exported[metric] for metric in metrics))
                used = set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', expression))
                for names in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression):
                    used.update(name.strip() for name in names.split(","))
                self.assertLessEqual(used, known, expression)
                seen |= metrics
        self.assertLessEqual(set(LABELS), seen)
