// The phone page. Texts of SMS are only ever set as text, never as markup.
"use strict";

const $ = (id) => document.getElementById(id);
const threads = new Map(); // number -> summary
const drafts = new Map(); // number -> what is typed but not sent
const seen = new Map(); // number -> id of the newest item looked at
let about = { country_code: "61", own_number: "", magic: false, after_sending: [], at_the_answer: [] };
let selected = null; // number of the phone that is open
let marked = null; // id of the SMS whose record is shown
let items = []; // what the open phone shows
let newest = null; // id of the item that was announced last
let wanted = 0; // counts requests for threads, so that a late answer is dropped

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function grouped(number) {
  const country = "+" + about.country_code;
  if (number.startsWith(country) && number.length === country.length + 9)
    return `${country} ${number.slice(-9, -6)} ${number.slice(-6, -3)} ${number.slice(-3)}`;
  return number;
}

const hue = (number) => [...number].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 6007, 7) % 6;
const sameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();
const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function day(at) {
  if (sameDay(at, Date.now())) return "Today";
  if (sameDay(at, Date.now() - 86400000)) return "Yesterday";
  return new Date(at).toLocaleDateString([], { weekday: "short", day: "numeric", month: "short" });
}

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const answer = await fetch(path, options);
  const data = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(data.error || `The vendor answered ${answer.status}.`);
  return data;
}

// --- the list of phones

const NEVER_GOT_IT = "not received · ";

function row(thread) {
  const item = make("li");
  const button = make("button", "entry");
  button.type = "button";
  button.dataset.number = thread.number;
  const face = make("span", "avatar", thread.number.slice(-3));
  face.dataset.hue = hue(thread.number);
  face.setAttribute("aria-hidden", "true");
  const middle = make("span", "middle");
  middle.append(make("strong", "", grouped(thread.number)));
  const preview = make("span", "preview");
  if (thread.direction === "out") preview.append(make("span", "tag", "phone: "));
  if (thread.status === "FAILED") preview.append(make("span", "tag bad", NEVER_GOT_IT));
  preview.append(thread.text || (thread.count ? "" : "nothing yet"));
  middle.append(preview);
  const end = make("span", "end");
  if (thread.count) end.append(make("time", "", sameDay(thread.at, Date.now()) ? clock(thread.at) : day(thread.at)));
  if (thread.count && thread.number !== selected && thread.id > (seen.get(thread.number) || 0)) {
    const dot = make("span", "unread");
    dot.append(make("span", "hidden", "new"));
    end.append(dot);
  }
  button.append(face, middle, end);
  if (thread.number === selected) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => open(thread.number));
  item.append(button);
  return item;
}

function drawList(total) {
  const held = document.activeElement?.dataset?.number;
  const rows = [...threads.values()].sort((a, b) => b.id - a.id).slice(0, 200);
  $("list").replaceChildren(...rows.map(row));
  if (held) [...document.querySelectorAll(".entry")].find((node) => node.dataset.number === held)?.focus();
  $("list-empty").hidden = rows.length > 0;
  if (total !== undefined) {
    $("list-more").hidden = total <= rows.length;
    $("list-more").textContent = `The latest ${rows.length} of ${total} phones.`;
  }
  const unread = rows.filter((thread) => thread.id > (seen.get(thread.number) || 0)).length;
  document.title = unread ? `(${unread}) Phones` : "Phones";
}

// --- one phone

function open(number) {
  if (selected) drafts.set(selected, $("text").value);
  selected = number;
  marked = null;
  items = [];
  $("text").value = drafts.get(number) || "";
  $("send-error").textContent = "";
  $("number").textContent = grouped(number);
  $("avatar").textContent = number.slice(-3);
  $("avatar").dataset.hue = hue(number);
  $("sub").textContent = "";
  $("thread").replaceChildren();
  $("empty").hidden = true;
  $("phone").hidden = false;
  $("app").dataset.view = "phone";
  grow();
  drawRecord();
  history.replaceState(null, "", "#" + encodeURIComponent(number));
  load();
  if (matchMedia("(min-width: 821px)").matches) $("text").focus({ preventScroll: true });
}

async function load() {
  const number = selected;
  const mine = ++wanted;
  try {
    const data = await ask("/phone/thread?number=" + encodeURIComponent(number));
    if (mine !== wanted || number !== selected) return;
    items = data.items;
    if (items.length) seen.set(number, items[items.length - 1].id);
    $("older").hidden = data.total <= items.length;
    $("older").textContent = `The latest ${items.length} of ${data.total} messages.`;
    drawThread();
    drawList();
  } catch (error) {
    if (mine === wanted) $("send-error").textContent = error.message;
  }
}

const STATES = {
  SUCCESS: ["good", "✓", "delivered"],
  FAILED: ["bad", "✕", "failed"],
  PENDING: ["wait", "…", "on its way"],
};

function stateOf(item) {
  if (item.status === "PENDING" && item.state !== "Pending") return ["wait", "…", item.state];
  if (item.result === "delivered-to-network") return ["wait", "✓", "reached the network"];
  const [kind, sign, word] = STATES[item.status];
  return [kind, sign, item.status === "FAILED" ? item.result : word];
}

function bubble(item) {
  const entry = make("li", "bubble " + item.direction);
  entry.dataset.id = item.id;
  if (item.direction === "out") {
    entry.append(make("p", "words", item.text));
    entry.append(make("p", "meta", `${clock(item.at)} · ${item.answers ? "answers the SMS before" : "answers none"}`));
    return entry;
  }
  const [kind, sign, word] = stateOf(item);
  entry.classList.add(item.status.toLowerCase());
  if (item.test) entry.classList.add("test");
  if (item.test) entry.append(make("span", "badge", "Test mode: never sent"));
  else if (item.status === "FAILED") entry.append(make("span", "badge bad", "This phone never got it"));
  const words = make("button", "words", item.text);
  words.type = "button";
  words.title = "Show the vendor’s record";
  words.setAttribute("aria-pressed", String(item.id === marked));
  words.addEventListener("click", () => mark(item.id));
  const meta = make("p", "meta");
  meta.append(make("span", "", clock(item.at)));
  meta.append(make("span", "", item.segments === 1 ? "1 segment" : `${item.segments} segments`));
  meta.append(make("span", "", "$" + item.price));
  const state = make("span", "state " + kind);
  const glyph = make("span", "", sign + " ");
  glyph.setAttribute("aria-hidden", "true");
  state.append(glyph, word);
  meta.append(state);
  entry.append(words, meta);
  return entry;
}

function drawThread() {
  const screen = $("screen");
  const atEnd = screen.scrollHeight - screen.scrollTop - screen.clientHeight < 80;
  const first = $("thread").childElementCount === 0;
  const held = document.activeElement?.closest?.(".bubble")?.dataset.id;
  const nodes = [];
  let last = 0;
  for (const item of items) {
    if (!sameDay(item.at, last)) nodes.push(make("li", "day", day(item.at)));
    last = item.at;
    nodes.push(bubble(item));
  }
  $("thread").replaceChildren(...nodes);
  const incoming = items.filter((item) => item.direction === "in");
  const spent = incoming.reduce((sum, item) => sum + Number(item.price), 0);
  $("sub").textContent = incoming.length
    ? `${incoming.length} SMS, $${spent.toFixed(2)}` : "Nothing received yet";
  if (held) document.querySelector(`.bubble[data-id="${Number(held)}"] .words`)?.focus({ preventScroll: true });
  const latest = items[items.length - 1];
  if (!first && latest && latest.id !== newest)
    $("said").textContent = (latest.direction === "in" ? "Received: " : "Sent: ") + latest.text;
  newest = latest?.id;
  if (first || atEnd) screen.scrollTop = screen.scrollHeight;
  drawRecord();
}

// --- the vendor's record of one SMS

function mark(id) {
  marked = marked === id ? null : id;
  $("acted").textContent = "";
  for (const node of document.querySelectorAll(".bubble.in"))
    node.querySelector(".words").setAttribute("aria-pressed", String(Number(node.dataset.id) === marked));
  drawRecord();
  if (marked && !matchMedia("(min-width: 1160px)").matches) $("record").scrollIntoView({ block: "nearest" });
}

function drawRecord() {
  const incoming = items.filter((item) => item.direction === "in");
  const item = incoming.find((one) => one.id === marked) || incoming[incoming.length - 1];
  $("record").hidden = !item;
  if (!item) return;
  $("record").dataset.id = item.id;
  const facts = [
    ["Status", `${item.status} · ${item.result}`],
    ["MessageID", item.message_id],
    ["Job", item.job],
    ["From", item.account],
    ["Text", `${item.segments} × ${item.encoding}, ${[...item.text].length} characters`],
    ["Price", "$" + item.price],
    ["Replies to", item.reply_mail],
  ];
  if (item.tracking_id && item.tracking_id !== item.message_id) facts.splice(2, 0, ["Your id", item.tracking_id]);
  $("facts").replaceChildren(...facts.filter(([, value]) => value).flatMap(
    ([name, value]) => [make("dt", "", name), make("dd", "", value)]));
}

async function tell(button) {
  const { status, result } = button.dataset;
  const item = items.find((one) => one.id === Number($("record").dataset.id));
  const known = item && item.status !== "PENDING" ? "UPDATED" : status;
  try {
    await ask("/admin/event", { id: Number($("record").dataset.id), status: known, result });
    $("acted").textContent = `Told the customer: ${known}, ${result}.`;
  } catch (error) {
    $("acted").textContent = error.message;
  }
}

// --- answering

function grow() {
  const text = $("text");
  text.style.height = "auto";
  text.style.height = Math.min(text.scrollHeight, 120) + "px";
  $("send").disabled = !text.value.trim();
}

async function answer() {
  const text = $("text").value;
  const number = selected;
  if (!text.trim() || !number) return;
  $("send-error").textContent = "";
  $("text").value = "";
  drafts.delete(number);
  grow();
  try {
    await ask("/admin/reply", { number, text });
    $("screen").scrollTop = $("screen").scrollHeight;
  } catch (error) {
    if (selected === number && !$("text").value) $("text").value = text;
    $("send-error").textContent = error.message;
    grow();
  }
}

// --- a phone nobody wrote to yet

function normal(typed) {
  const bare = typed.replace(/[\s().\-\/]/g, "");
  const digits = bare.startsWith("+") ? bare.slice(1)
    : bare.startsWith("0") && !bare.startsWith("00") ? about.country_code + bare.slice(1) : "";
  return /^[1-9][0-9]{7,14}$/.test(digits) ? "+" + digits : null;
}

function newPhone(event) {
  event.preventDefault();
  const number = normal($("new-number").value);
  $("new-error").textContent = number ? "" : "A number such as 0421 000 001 or +61 421 000 001.";
  if (!number) return;
  toggleNew(false);
  $("new-number").value = "";
  if (!threads.has(number))
    threads.set(number, { number, at: Date.now(), id: Number.MAX_SAFE_INTEGER, count: 0, text: "", direction: "", status: "" });
  seen.set(number, Number.MAX_SAFE_INTEGER);
  open(number);
  drawList();
}

function toggleNew(show) {
  $("new-form").hidden = !show;
  $("new-phone").setAttribute("aria-expanded", String(show));
  if (show) $("new-number").focus();
}

// --- live

function connected(yes) {
  $("live").classList.toggle("on", yes);
  $("live-text").textContent = yes ? "live" : "connecting again";
}

function listen() {
  const source = new EventSource("/phone/live");
  source.onopen = () => connected(true);
  source.onerror = () => {
    connected(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  };
  source.addEventListener("all", (event) => take(JSON.parse(event.data), true));
  source.addEventListener("changed", (event) => take(JSON.parse(event.data), false));
}

function take(news, everything) {
  if (everything) {
    const kept = threads.get(selected);
    threads.clear();
    if (kept && !kept.count) threads.set(selected, kept);
    if (!news.threads.length && selected && !(kept && !kept.count)) leave();
  }
  for (const thread of news.threads) {
    if (seen.get(thread.number) === Number.MAX_SAFE_INTEGER) seen.set(thread.number, 0);
    threads.set(thread.number, thread);
  }
  drawList(news.total);
  if (selected && news.threads.some((thread) => thread.number === selected)) load();
  if (!selected && threads.size && matchMedia("(min-width: 821px)").matches) first();
}

function first() {
  const asked = decodeURIComponent(location.hash.slice(1));
  const newest = [...threads.values()].sort((a, b) => b.id - a.id)[0];
  open(threads.has(asked) ? asked : newest.number);
}

function leave() {
  selected = null;
  items = [];
  $("phone").hidden = true;
  $("empty").hidden = false;
  $("app").dataset.view = "list";
  drawRecord();
}

// --- beside the phones

function endings(list, rows) {
  list.replaceChildren(...rows.flatMap(({ ending, about: words }) => [make("dt", "", "…" + ending), make("dd", "", words)]));
}

async function start() {
  $("new-phone").addEventListener("click", () => toggleNew($("new-form").hidden));
  $("new-form").addEventListener("submit", newPhone);
  $("new-form").addEventListener("keydown", (event) => event.key === "Escape" && toggleNew(false));
  $("composer").addEventListener("submit", (event) => { event.preventDefault(); answer(); });
  $("text").addEventListener("input", grow);
  $("text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    answer();
  });
  $("back").addEventListener("click", () => {
    $("app").dataset.view = "list";
    const number = selected;
    drafts.set(number, $("text").value);
    selected = null;
    drawList();
    [...document.querySelectorAll(".entry")].find((node) => node.dataset.number === number)?.focus();
  });
  $("actions").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) tell(button);
  });
  $("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText($("hint").textContent);
    $("copy").textContent = "Copied";
  });
  const tick = () => { $("clock").textContent = clock(Date.now()); };
  tick();
  setInterval(tick, 10000);
  if (!matchMedia("(min-width: 1160px)").matches) $("magic").open = false;
  try {
    about = await ask("/phone/about");
  } catch {
    // The stream below says that the vendor is away, and comes back when it does.
  }
  endings($("after"), about.after_sending);
  endings($("answer"), about.at_the_answer);
  $("magic").hidden = !about.magic;
  $("hint").textContent = about.hint || `curl ${location.origin}/api/v2.04/HttpApi/SMS -d Sender=${about.sender} `
    + `-d Token=${about.token} -d Number=0421000001 -d 'Message=Hello from the bridge'`;
  listen();
}

start();
