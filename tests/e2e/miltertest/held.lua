-- All held: DISCARD. One of two held: DELRCPT with the path as it was told. Redirected: DELRCPT and ADDRCPT.
dofile(scripts .. "/common.lua")

local conn = opened()
greeted(conn, "192.0.2.10")

envelope(conn, "pgdbenluc@longan.edu.vn", { "giulai@longan.edu.vn" })
content(conn, "pgdbenluc@longan.edu.vn")
need(mt.getreply(conn) == SMFIR_DISCARD, "the verdict is not DISCARD")
need(not mt.eom_check(conn, MT_QUARANTINE), "QUARANTINE is asked for")

envelope(conn, "pgdbenluc@longan.edu.vn", { "GiuLai@LongAn.edu.vn", "vanthu@longan.edu.vn", "tochuc@longan.edu.vn" })
content(conn, "pgdbenluc@longan.edu.vn")
local reply = mt.getreply(conn)
need(reply == SMFIR_CONTINUE or reply == SMFIR_ACCEPT, "the verdict is " .. tostring(reply))
need(mt.eom_check(conn, MT_RCPTDELETE, "<GiuLai@LongAn.edu.vn>"), "the held recipient stays")
need(mt.eom_check(conn, MT_RCPTDELETE, "<tochuc@longan.edu.vn>"), "the redirected recipient stays")
need(not mt.eom_check(conn, MT_RCPTDELETE, "<vanthu@longan.edu.vn>"), "the third is taken off")
need(mt.eom_check(conn, MT_RCPTADD, "<ketoan@longan.edu.vn>"), "the new recipient is not put on")
mt.disconnect(conn)
