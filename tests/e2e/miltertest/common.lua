-- What the scripts share. `door` and `name` come from the command line (-D).

function need(condition, complaint)
  if not condition then
    mt.echo(debug.traceback(complaint, 2))  -- miltertest itself does not print what error() says
    error(complaint)
  end
end

function done(trouble, what)
  need(trouble == nil, what .. ": " .. tostring(trouble))
end

-- A connection after the option negotiation, by default with all that miltertest offers.
function opened(version, actions, steps)
  local conn = mt.connect("unix:" .. door)
  need(conn ~= nil, "nobody listens at " .. door)
  done(mt.negotiate(conn, version, actions, steps), "negotiation")
  return conn
end

-- CONNECT and HELO of the unit's own mail server.
function greeted(conn, address)
  mt.macro(conn, SMFIC_CONNECT, "j", "mail.longan.edu.vn", "{daemon_name}", "mail.longan.edu.vn")
  done(mt.conninfo(conn, "mail.longan.edu.vn", address), "CONNECT")
  need(mt.getreply(conn) == SMFIR_CONTINUE, "CONNECT is not answered by CONTINUE")
  done(mt.helo(conn, "mail.longan.edu.vn"), "HELO")
  need(mt.getreply(conn) == SMFIR_CONTINUE, "HELO is not answered by CONTINUE")
end

function envelope(conn, sender, recipients)
  mt.macro(conn, SMFIC_MAIL, "i", "4BQueueId1")
  done(mt.mailfrom(conn, "<" .. sender .. ">"), "MAIL")
  need(mt.getreply(conn) == SMFIR_CONTINUE, "MAIL is not answered by CONTINUE")
  for _, recipient in ipairs(recipients) do
    done(mt.rcptto(conn, "<" .. recipient .. ">"), "RCPT")
    need(mt.getreply(conn) == SMFIR_CONTINUE, "RCPT is not answered by CONTINUE")
  end
end

local sent = 0

-- Header, body and the end of the message; the reply is left for getreply().
function content(conn, sender, more)
  sent = sent + 1
  local fields = {
    { "From", " <" .. sender .. ">" },
    { "To", " <vanthu@longan.edu.vn>" },
    { "Subject", " Bao cao 12/BC-PGDDT" },
    { "Date", " " .. os.date("!%a, %d %b %Y %H:%M:%S +0000") },
    { "Message-ID", " <" .. name .. sent .. "@longan.edu.vn>" },
  }
  for _, field in ipairs(more or {}) do table.insert(fields, field) end
  for _, field in ipairs(fields) do
    done(mt.header(conn, field[1], field[2]), "HEADER")
    need(mt.getreply(conn) == SMFIR_CONTINUE, "HEADER is not answered by CONTINUE")
  end
  done(mt.eoh(conn), "EOH")
  done(mt.bodystring(conn, "Kinh gui So Giao duc va Dao tao Long An.\r\n"), "BODY")
  done(mt.eom(conn), "the end of the message")
end
