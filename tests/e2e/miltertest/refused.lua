-- A rule refuses; a message is given up; a session that has logged in passes unseen.
dofile(scripts .. "/common.lua")

local conn = opened()
greeted(conn, "192.0.2.10")
envelope(conn, "pgdbenluc@longan.edu.vn", { "vanthu@longan.edu.vn" })
content(conn, "pgdbenluc@longan.edu.vn", { { "X-Hoa-Toc", " 1" } })
need(mt.getreply(conn) == SMFIR_REPLYCODE, "the verdict is no reply of ours")

envelope(conn, "pgdbenluc@longan.edu.vn", { "giulai@longan.edu.vn" })
done(mt.header(conn, "From", " <pgdbenluc@longan.edu.vn>"), "HEADER")
done(mt.abort(conn), "ABORT")

mt.macro(conn, SMFIC_MAIL, "i", "4BQueueId2", "{auth_authen}", "giaovien", "{auth_type}", "PLAIN")
done(mt.mailfrom(conn, "<giaovien@longan.edu.vn>"), "MAIL")
done(mt.rcptto(conn, "<giulai@longan.edu.vn>"), "RCPT")
content(conn, "giaovien@longan.edu.vn")
need(mt.getreply(conn) == SMFIR_ACCEPT, "the client who logged in is judged")
mt.disconnect(conn)
