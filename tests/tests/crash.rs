//! Processes are killed, servers crash, connections are cut, answers are lost, many write at once: nothing is lost, invented or out of order.

mod sqlite {
    events_tests::crash_matrix!(events_tests::shop::SqliteSite);
}

mod postgres {
    events_tests::server_crash_matrix!(events_tests::shop::PostgresSite);
}

mod mariadb {
    events_tests::server_crash_matrix!(events_tests::shop::MariadbSite);
}
