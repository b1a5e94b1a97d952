"use strict";
(() => {
  const PAGE = 100, PRINTED = 1000, OPENED_FOR_PRINT = 200, DAY = 86400000;
  const data = JSON.parse(document.getElementById("data").textContent);
  const by = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat("en");
  const STEP_NAMES = { tcp: "TCP", tls: "TLS", tls_versions: "TLS versions", proof: "Proof of work" };
  const MARKS = { good: "✓", bad: "✕", warn: "!", none: "–" };
  const WORDS = { good: "ok", bad: "to repair", warn: "ok, with findings", none: "not tried" };
  const KINDS = {
    broken: ["bad", "newly to repair"], other_cause: ["bad", "another cause"], repaired: ["good", "repaired"],
    new_certificate: ["warn", "new certificate"], added: ["", "new here"], removed: ["", "no longer here"],
  };
  const SPANS = [
    ["over", "warn", "expired", -Infinity, 0], ["month", "warn", "within 30 days", 0, 30],
    ["quarter", "", "within 90 days", 30, 90], ["year", "", "within a year", 90, 365],
    ["decade", "", "within ten years", 365, 3653], ["later", "", "later", 3653, Infinity],
  ];
  const now = data.checked_at ? Date.parse(data.checked_at) : NaN;

  /* Everything that is shown goes through here, as text: nothing that a host has said becomes markup. */
  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "style") Object.assign(node.style, value);
      else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== ""));
    return node;
  }
  const plural = (count, one, many) => `${number.format(count)} ${count === 1 ? one : many}`;
  const day = (text) => text ? text.slice(0, 10) : "not known";
  const seconds = (value) => value === null || value === undefined ? "" :
    value < .001 ? "< 1 ms" : value < 1 ? `${number.format(Math.round(value * 1000))} ms` : `${value.toFixed(value < 10 ? 2 : 1)} s`;

  /* The agents, with what they are found and sorted by */
  const placeOf = (entry) => [entry.name, entry.host, entry.port].join("\n").toLowerCase();
  const kindsOf = new Map();
  for (const kind of Object.keys(data.changes ? KINDS : {}))
    for (const entry of data.changes[kind]) {
      const place = placeOf(entry);
      kindsOf.set(place, [...(kindsOf.get(place) || []), kind]);
    }
  const agents = data.agents.map((agent, index) => {
    const state = agent.cause !== "ok" ? "bad" : agent.findings.length ? "warn" : "good";
    const left = agent.facts.not_after ? (Date.parse(agent.facts.not_after) - now) / DAY : NaN;
    const span = SPANS.find(([, , , from, to]) => left >= from && left < to);
    const text = [agent.name, agent.host, agent.port, agent.cause, agent.evidence, ...Object.values(agent.facts),
      ...agent.findings.flat()].join("\n").toLowerCase();
    return { ...agent, index, state, left, text, span: span ? span[0] : null,
      kinds: kindsOf.get(placeOf(agent)) || [] };
  });
  const RANK = { bad: 0, warn: 1, good: 2 };
  const ORDERS = {
    worst: (a, b) => RANK[a.state] - RANK[b.state] || a.index - b.index,
    name: (a, b) => a.index - b.index,
    slow: (a, b) => (b.seconds || 0) - (a.seconds || 0),
    expiry: (a, b) => (isNaN(a.left) ? Infinity : a.left) - (isNaN(b.left) ? Infinity : b.left) || a.index - b.index,
  };

  /* What is chosen: kept in the address, so that a link leads to the same view */
  const chosen = { q: "", cause: "", kind: "", span: "", order: "worst" };
  let found = [], shown = 0;

  function readAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const name of Object.keys(chosen)) chosen[name] = given.get(name) || (name === "order" ? "worst" : "");
    if (!ORDERS[chosen.order]) chosen.order = "worst";
    by("query").value = chosen.q;
    by("order").value = chosen.order;
  }
  function writeAddress() {
    const kept = Object.entries(chosen).filter(([name, value]) => value && !(name === "order" && value === "worst"));
    history.replaceState(null, "", kept.length ? `#${new URLSearchParams(kept)}` : location.pathname + location.search);
  }
  function choose(name, value) {
    chosen[name] = chosen[name] === value ? "" : value;
    refresh();
  }
  function refresh() {
    const terms = chosen.q.toLowerCase().split(/\s+/).filter(Boolean);
    found = agents.filter((agent) => (!chosen.cause || agent.cause === chosen.cause) &&
      (!chosen.kind || agent.kinds.includes(chosen.kind)) && (!chosen.span || agent.span === chosen.span) &&
      terms.every((term) => agent.text.includes(term)));
    found.sort(ORDERS[chosen.order]);
    for (const button of document.querySelectorAll("button[data-filter]"))
      button.setAttribute("aria-pressed", String(chosen[button.dataset.filter] === button.value));
    by("clear").hidden = !(chosen.q || chosen.cause || chosen.kind || chosen.span);
    by("count").textContent = found.length === agents.length ? plural(agents.length, "agent", "agents")
      : `${number.format(found.length)} of ${plural(agents.length, "agent", "agents")}`;
    by("list").replaceChildren();
    shown = 0;
    show(PAGE);
    writeAddress();
  }
  function show(count) {
    const next = found.slice(shown, shown + count);
    by("list").append(...next.map(row));
    shown += next.length;
    const left = found.length - shown;
    by("more").hidden = !left;
    by("more").textContent = `Show ${number.format(Math.min(left, PAGE))} more of ${number.format(left)}`;
  }

  /* One agent */
  function row(agent) {
    const place = agent.name === agent.host && agent.port === 10933 ? null :
      make("span", { class: "place" }, agent.name === agent.host ? `port ${agent.port}` :
        agent.host.includes(":") ? `[${agent.host}]:${agent.port}` : `${agent.host}:${agent.port}`);
    const line = agent.cause === "ok" && agent.findings.length ? agent.findings[0][1] : agent.evidence;
    const node = make("details", { class: `agent ${agent.state}` },
      make("summary", {}, mark(agent.state), make("span", { class: "name" }, agent.name, place),
        make("code", { class: "cause" }, agent.cause), make("span", { class: "line" }, line),
        make("span", { class: "time" }, seconds(agent.seconds))));
    node.addEventListener("toggle", () => { if (node.open) open(node, agent); });
    return node;
  }
  function open(node, agent) {
    if (node.childElementCount === 1) node.append(detail(agent));
  }
  function mark(state) {
    return make("span", { class: "mark" }, make("span", { "aria-hidden": "true" }, MARKS[state]),
      make("span", { class: "unseen" }, WORDS[state]));
  }
  function detail(agent) {
    const cause = data.causes[agent.cause];
    const advice = [advise(agent.cause === "ok" ? "good" : "bad", agent.cause, agent.evidence,
      agent.cause === "ok" ? "" : cause.summary, agent.cause === "ok" ? "" : cause.remedy, agent.also)];
    for (const [word, evidence, remedy] of agent.findings) advice.push(advise("warn", word, evidence, "", remedy, []));
    return make("div", { class: "detail" }, ...advice,
      make("div", {}, make("h3", {}, "Steps"), steps(agent.steps)), facts(agent.facts));
  }
  function advise(state, word, evidence, summary, remedy, also) {
    return make("div", { class: `advice ${state}` },
      make("p", {}, make("code", {}, word), " ", evidence, summary ? ` ${summary}` : ""),
      remedy ? make("p", { class: "next" }, make("span", {}, make("strong", {}, "Next: "), remedy),
        copier("Copy", `${word}: ${evidence} ${remedy}`, "Copy evidence and next step")) : null,
      also.length ? make("p", { class: "also" }, "Fits the evidence as well: ", also.join(", "), ".") : null);
  }
  function steps(list) {
    const whole = list.reduce((sum, step) => sum + (step[2] || 0), 0) || 1;
    let before = 0;
    const rows = list.map(([name, status, spent, evidence]) => {
      const state = status === "ok" ? "good" : status === "failed" ? "bad" : "none";
      const bar = spent === null ? null : make("div", { style: {
        marginLeft: `${before / whole * 100}%`, width: `${spent / whole * 100}%` } });
      before += spent || 0;
      const label = STEP_NAMES[name] || name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");
      return make("tr", { class: state }, make("td", { class: "mark" }, ...mark(state).childNodes),
        make("th", { scope: "row" }, label), make("td", { class: "flow", "aria-hidden": "true" }, bar),
        make("td", { class: "ms" }, seconds(spent)), make("td", { class: "said" }, evidence));
    });
    const heads = ["Outcome", "Step", "", "Time", "Evidence"].map((text) => make("th", { scope: "col" }, text));
    return make("table", { class: "steps" },
      make("thead", { class: "unseen" }, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
  }
  const FACTS = {
    thumbprint: "Thumbprint", thumbprint_sha256: "SHA-256", expected: "Expected thumbprint", subject: "Subject",
    issuer: "Issuer", not_before: "Valid from", not_after: "Valid until", key: "Key and signature", tls: "TLS",
    address: "Address", page: "Page", trusted: "Trusts our certificate", client_thumbprint: "Our thumbprint",
    capabilities: "Services", version: "Version", first_bytes: "First bytes", attempts: "Checks made",
  };
  function facts(known) {
    const rows = Object.entries(FACTS).filter(([name]) => known[name] !== undefined).flatMap(([name, label]) => [
      make("dt", {}, label), make("dd", {}, /thumbprint|expected/.test(name) ? make("code", {}, known[name]) : known[name],
        /^thumbprint/.test(name) ? " " : "",
        /^thumbprint/.test(name) ? copier("Copy", known[name], `Copy the ${label}`) : null)]);
    return rows.length ? make("div", {}, make("h3", {}, "Facts"), make("dl", { class: "facts" }, ...rows)) : null;
  }
  function copier(label, text, explained) {
    const button = make("button", { class: "copy", type: "button", "aria-label": explained }, label);
    button.addEventListener("click", async () => {
      const done = await copy(text);
      button.textContent = done ? "Copied" : "Not possible here";
      setTimeout(() => { button.textContent = label; }, 2000);
    });
    return button;
  }
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const field = make("textarea", { class: "unseen", readonly: true });
      field.value = text;
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      return done;
    }
  }

  /* The parts above the list */
  function filter(name, value, attributes, ...children) {
    return make("button", { type: "button", "data-filter": name, value, "aria-pressed": "false", ...attributes,
      onclick: () => choose(name, value) }, ...children);
  }
  function drawVerdict() {
    const { endpoints, ok, to_repair: bad, causes } = data.totals;
    by("verdict-title").textContent = !endpoints ? "Nothing was checked" :
      bad ? `${number.format(bad)} of ${number.format(endpoints)} ${bad === 1 ? "needs" : "need"} repair`
        : endpoints === 1 ? "The agent is fine" : `All ${number.format(endpoints)} are fine`;
    const parts = [...Object.entries(causes), ...(ok ? [["ok", ok]] : [])];
    by("bar").setAttribute("aria-label", parts.map(([word, count]) => `${word} ${number.format(count)}`).join(", "));
    by("bar").append(...parts.map(([word, count]) =>
      make("span", { class: word === "ok" ? "ok" : null, style: { flexGrow: count }, title: `${word}: ${count}` })));
    by("causes").style.setProperty("--digits", Math.max(...parts.map(([, count]) => number.format(count).length), 2));
    by("causes").append(...parts.map(([word, count]) => make("li", { class: word === "ok" ? "ok" : null },
      filter("cause", word, {}, make("span", { class: "number" }, number.format(count)), make("code", {}, word),
        make("span", { class: "what" }, data.causes[word].summary),
        make("span", { class: "side" }, data.causes[word].side || "")))));
    by("verdict").hidden = false;
  }
  function drawChanges() {
    if (!data.changes) return;
    by("changes-title").textContent = data.changes.since ? `Since ${when(data.changes.since)}` : "Since the last report";
    const kinds = Object.entries(KINDS).filter(([kind]) => data.changes[kind].length);
    by("change-kinds").append(...kinds.map(([kind, [tone, label]]) => {
      const content = [make("b", {}, number.format(data.changes[kind].length)), label];
      if (kind !== "removed") return make("li", { class: tone }, filter("kind", kind, {}, ...content));
      const names = data.changes.removed.map((entry) => entry.name).join(", ");
      return make("li", {}, make("details", { class: "gone" }, make("summary", {}, ...content), names));
    }));
    if (!kinds.length) by("change-kinds").append(make("li", {}, "Nothing has changed."));
    by("changes").hidden = false;
  }
  const when = (text) => text.replace("T", " ").replace(/:\d\d(\.\d+)?Z$/, " UTC");
  function drawCertificates() {
    const dated = data.certificates.filter((entry) => entry.not_before && entry.not_after);
    if (!dated.length || isNaN(now)) return;
    for (const [name, tone, label] of SPANS) {
      const count = agents.filter((agent) => agent.span === name).length;
      if (count) by("expiry").append(make("li", { class: tone },
        filter("span", name, {}, make("b", {}, number.format(count)), name === "over" ? label : `expiring ${label}`)));
    }
    by("timeline").append(...lives(dated));
    if (data.certificate_count > dated.length) by("timeline").append(make("p", { class: "note" },
      `The ${dated.length} that expire first, of ${number.format(data.certificate_count)} certificates.`));
    by("certificates").hidden = false;
  }
  function lives(list) {
    const YEAR = 365.25 * DAY;
    const ends = list.map((entry) => Date.parse(entry.not_after));
    const from = Math.max(Math.min(...list.map((entry) => Date.parse(entry.not_before)), now - YEAR / 4), now - 3 * YEAR);
    const to = Math.min(Math.max(...ends, now + YEAR), Math.max(Math.min(...ends) + YEAR, now + 5 * YEAR));
    const at = (moment) => Math.min(Math.max((moment - from) / (to - from), 0), 1) * 100;
    const first = new Date(from).getUTCFullYear() + 1, last = new Date(to).getUTCFullYear();
    const every = Math.max(1, Math.ceil((last - first + 1) / 8));
    const ticks = [];
    for (let year = first; year <= last; year += every) ticks.push([year, at(Date.UTC(year, 0, 1))]);
    const line = (label) => [...ticks.filter(([, left]) => !label || Math.abs(left - at(now)) > 12).map(([year, left]) =>
      make("span", { class: "tick", style: { left: `${left}%` } }, label ? make("span", {}, year) : "")),
    make("span", { class: "now", style: { left: `${at(now)}%` } }, label ? make("span", {}, "checked") : "")];
    const axis = make("div", { class: "row axis", "aria-hidden": "true" }, make("span", { class: "who" }),
      make("div", { class: "track" }, ...line(true)), make("span", { class: "date" }, "valid until"));
    return [axis, ...list.map((entry) => {
      const begin = Date.parse(entry.not_before), end = Date.parse(entry.not_after), left = (end - now) / DAY;
      const who = entry.endpoints.length > 1 ? `${entry.endpoints[0]} and ${number.format(entry.endpoints.length - 1)} more`
        : entry.endpoints[0];
      const edges = `${begin < from ? " open-left" : ""}${end > to ? " open-right" : ""}`;
      return make("div", { class: left < 30 ? "row soon" : "row" },
        make("span", { class: "who", title: entry.thumbprint }, who),
        make("div", { class: "track", "aria-hidden": "true" }, ...line(false), make("span", { class: `life${edges}`,
          style: { left: `${at(begin)}%`, width: `${Math.max(at(end) - at(begin), .5)}%` } })),
        make("span", { class: "date" }, day(entry.not_after)));
    })];
  }

  /* Printing shows what is chosen, with the details of what needs repair */
  let opened = [];
  addEventListener("beforeprint", () => {
    show(Math.max(PRINTED - shown, 0));
    opened = [...document.querySelectorAll("details.agent.bad:not([open])")].slice(0, OPENED_FOR_PRINT);
    for (const node of opened) {
      open(node, found[[...by("list").children].indexOf(node)]);
      node.open = true;
    }
  });
  addEventListener("afterprint", () => { for (const node of opened) node.open = false; });

  by("query").addEventListener("input", () => { chosen.q = by("query").value; refresh(); });
  by("order").addEventListener("change", () => { chosen.order = by("order").value; refresh(); });
  by("tools").addEventListener("submit", (event) => event.preventDefault());
  by("tools").addEventListener("reset", (event) => {
    event.preventDefault();
    Object.assign(chosen, { q: "", cause: "", kind: "", span: "" });
    by("query").value = "";
    refresh();
    by("query").focus();
  });
  by("more").addEventListener("click", () => {
    const next = by("list").children.length;
    show(PAGE);
    by("list").children[next].querySelector("summary").focus();
  });
  addEventListener("hashchange", () => { readAddress(); refresh(); });
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT/.test(event.target.tagName)) return;
    event.preventDefault();
    by("query").focus();
  });

  drawVerdict();
  drawChanges();
  drawCertificates();
  by("agents").hidden = false;
  readAddress();
  refresh();
})();
