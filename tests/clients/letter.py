"""A letter by Python's smtplib, collected by poplib; run by the tests with the lab's addresses.

Arguments: authority's certificate, submission, submissions, pop3, pop3s, sender, their password,
recipient, their password. Ends with 0 after printing "all is well".
"""

import email.message
import email.policy
import hashlib
import poplib
import smtplib
import ssl
import sys
import time

DEADLINE_S = 20


def place(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def refused(action, *kinds):
    try:
        action()
    except kinds as error:
        return error
    raise AssertionError(f"{action} should have been refused")


(authority, submission, submissions, pop3, pop3s, sender, sender_password, recipient,
 recipient_password) = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)

# Long enough for many pieces; dots at line beginnings, bytes beyond ASCII.
lines = [("." * (number % 4)) + f"line {number} \u00e9\u4e2d" for number in range(20000)]
body = "\n".join(lines) + "\n"
digest = hashlib.sha256(body.encode()).hexdigest()


def letter(subject):
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message.set_content(body, cte="8bit")
    return message


subjects = [f"python-{time.time_ns()}-{number}" for number in range(3)]

with smtplib.SMTP(*place(submission), local_hostname="client.nord.test", timeout=10) as server:
    server.starttls(context=context)
    server.ehlo()
    for extension in ("size", "pipelining", "8bitmime", "smtputf8", "enhancedstatuscodes", "chunking", "auth"):
        assert server.has_extn(extension), f"EHLO does not offer {extension}"
    assert not server.has_extn("starttls"), "STARTTLS offered a second time"
    error = refused(lambda: server.login(sender, "wrong"), smtplib.SMTPAuthenticationError)
    assert error.smtp_code == 535, error
    server.login(sender, sender_password)
    assert server.send_message(letter(subjects[0])) == {}
    # A second letter over the same connection, and a recipient refused beside one accepted.
    assert server.noop()[0] == 250
    assert server.send_message(letter(subjects[1])) == {}
    assert server.docmd("NONSENSE")[0] == 500
    assert server.rset()[0] == 250

with smtplib.SMTP_SSL(*place(submissions), local_hostname="client.nord.test", timeout=10, context=context) as server:
    server.login(sender, sender_password)
    assert server.send_message(letter(subjects[2])) == {}


def logged_in(kind, where, **further):
    box = kind(*place(where), timeout=10, **further)
    box.user(recipient)
    box.pass_(recipient_password)
    return box


deadline = time.monotonic() + DEADLINE_S
while True:
    box = logged_in(poplib.POP3, pop3)
    count, _ = box.stat()
    if count >= 3:
        break
    box.quit()
    assert time.monotonic() < deadline, f"{count} of 3 letters arrived"
    time.sleep(0.05)

# The maildrop is locked: a second session is refused.
refused(lambda: logged_in(poplib.POP3, pop3), poplib.error_proto)

identifiers = {}
for line in box.uidl()[1]:
    number, identifier = line.decode().split(" ", 1)
    identifiers[int(number)] = identifier
assert len(set(identifiers.values())) == count, identifiers

found = {}
for number in range(1, count + 1):
    # Without utf8, poplib gives the bytes of each line as they came.
    _, raw, _ = box.retr(number)
    message = email.message_from_bytes(b"\r\n".join(raw) + b"\r\n", policy=email.policy.default)
    text = message.get_content().replace("\r\n", "\n")
    assert hashlib.sha256(text.encode()).hexdigest() == digest, f"letter {number} was changed"
    found[message["Subject"]] = number
assert set(subjects) <= set(found), (subjects, found)

_, head, _ = box.top(1, 2)
assert b"" in head and len(head) - head.index(b"") - 1 == 2, head[-5:]
refused(lambda: box.retr(count + 1), poplib.error_proto)

box.dele(1)
refused(lambda: box.retr(1), poplib.error_proto)
box.rset()
box.retr(1)
box.dele(1)
box.close()  # Without QUIT nothing is deleted.

def reopened(kind, where, **further):
    """A session that ended a moment ago may still hold the lock."""
    until = time.monotonic() + DEADLINE_S
    while True:
        try:
            return logged_in(kind, where, **further)
        except poplib.error_proto:
            assert time.monotonic() < until, "the maildrop stays locked"
            time.sleep(0.05)


box = reopened(poplib.POP3_SSL, pop3s, context=context)
assert box.stat()[0] == count, "a letter was deleted without QUIT"
again = dict(reversed(line.decode().split(" ", 1)) for line in box.uidl()[1])
assert set(again) == set(identifiers.values()), "identifiers changed between sessions"
for number in range(1, count + 1):
    box.dele(number)
box.quit()

box = poplib.POP3(*place(pop3), timeout=10)
box.stls(context)
box.user(recipient)
box.pass_(recipient_password)
assert box.stat()[0] == 0, "letters remain after DELE and QUIT"
box.quit()
print("all is well")
