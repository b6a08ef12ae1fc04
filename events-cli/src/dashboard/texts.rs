//! What the pages say, in each language.

/// One line per text: its name, in English, in Chinese. `{}` stands for a number or a name.
macro_rules! texts {
    ($($name:ident: $en:literal, $zh:literal;)+) => {
        /// The texts of one language.
        #[derive(Debug)]
        pub(crate) struct Texts {
            /// As HTML names the language.
            pub(crate) code: &'static str,
            $(pub(crate) $name: &'static str,)+
        }

        pub(crate) static ENGLISH: Texts = Texts { code: "en", $($name: $en,)+ };
        pub(crate) static CHINESE: Texts = Texts { code: "zh-CN", $($name: $zh,)+ };

        #[cfg(test)]
        const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $en, $zh),)+];
    };
}

texts! {
    skip: "Skip to the content", "跳到正文";
    menu: "Pages", "页面";
    overview: "Overview", "概览";
    events: "Events", "事件";
    dead_letters: "Dead letters", "死信";
    keys: "Blocked keys", "阻塞的键";
    processes: "Processes", "进程";
    audit: "Audit", "审计";
    databases: "Databases", "数据库";
    database: "Database", "数据库";
    language: "中文", "English";
    light: "Light", "浅色";
    dark: "Dark", "深色";
    log_out: "Log out", "退出登录";
    log_in: "Log in", "登录";
    token: "Token", "令牌";
    token_help: "The one that was given to `outbox serve`.", "启动 `outbox serve` 时指定的令牌。";
    wrong_token: "This is not the token.", "令牌不正确。";
    live: "Updates by itself", "自动更新";
    as_of: "As of {}", "截至 {}";
    waiting: "Waiting", "等待中";
    due: "Due", "待投递";
    leased: "Leased", "投递中";
    later: "Later", "延后";
    behind_key: "Behind a key", "等待同键";
    due_for: "Due for", "已等待";
    oldest: "Oldest event", "最早的事件";
    oldest_help: "published so long ago and still on its way", "发布至今仍未送达的时长";
    target: "Target", "目标";
    topic: "Topic", "主题";
    version: "Version", "版本";
    key: "Key", "键";
    state: "State", "状态";
    any: "any", "不限";
    error: "Error contains", "错误包含";
    last_error: "Last error", "最近的错误";
    reason: "Reason", "原因";
    since: "Since", "起始";
    until: "Until", "截止";
    time_help: "2h, or 2026-11-22T08:00:00Z", "2h，或 2026-11-22T08:00:00Z";
    find: "Search", "搜索";
    clear: "Clear", "清除";
    find_event: "Event or delivery id", "事件或投递 ID";
    open: "Open", "打开";
    published: "Published", "发布时间";
    published_by: "Published by", "发布者";
    until_when: "Until", "直到";
    failed: "Failed attempts", "失败次数";
    attempts: "Attempts", "尝试次数";
    died: "Died", "成为死信";
    next_page: "Next page", "下一页";
    first_page: "First page", "第一页";
    looked: "{} rows were looked at.", "已查看 {} 行。";
    may_be_more: "There may be more.", "可能还有更多。";
    nothing_waits: "Nothing waits that is meant.", "没有符合条件的等待投递。";
    no_dead: "No dead letter is meant.", "没有符合条件的死信。";
    no_keys: "No key is blocked.", "没有阻塞的键。";
    no_processes: "No process was seen within the last hour.", "最近一小时内没有发现进程。";
    no_audit: "Nobody has done anything yet.", "还没有任何操作记录。";
    nothing: "Nothing waits, nothing was given up.", "没有等待的投递，也没有死信。";
    select_all: "Select all of this page", "选择本页全部";
    select: "Select", "选择";
    redrive: "Redrive", "重新投递";
    discard: "Discard", "丢弃";
    pass: "Let pass", "放行";
    redrive_selected: "Redrive selected", "重新投递所选";
    discard_selected: "Discard selected", "丢弃所选";
    redrive_all: "Redrive all that match", "重新投递全部匹配项";
    discard_all: "Discard all that match", "丢弃全部匹配项";
    confirm: "Confirm", "确认";
    cancel: "Cancel", "取消";
    confirm_redrive: "{} dead letters go back into the outbox, with fresh attempts.", "{} 封死信将回到发件箱，重新计算尝试次数。";
    confirm_discard: "{} dead letters are deleted for good. What they block goes on.", "{} 封死信将被永久删除，被其阻塞的投递将继续。";
    confirm_pass: "What waits behind {} dead letters passes them. The order of the key is given up; the letters stay.", "{} 封死信之后的投递将被放行。该键的顺序不再保证，死信保留。";
    done_redrive: "{} dead letters were redriven.", "已重新投递 {} 封死信。";
    done_discard: "{} dead letters were discarded.", "已丢弃 {} 封死信。";
    done_pass: "{} dead letters are passed.", "已放行 {} 封死信。";
    none_selected: "Nothing was selected.", "没有选择任何死信。";
    event: "Event", "事件";
    payload: "Payload", "内容";
    headers: "Headers", "头部";
    deliveries: "Deliveries", "投递";
    history: "History", "历史";
    attempt: "attempt {}", "第 {} 次尝试";
    attempt_open: "an attempt began", "一次尝试已开始";
    unreadable: "It cannot be read", "无法读取";
    lost_leases: "leases that ran out: {}", "过期的租约：{}";
    blocks: "blocks its key", "阻塞其键";
    no_trace: "There is no trace of this event: it was never published, has rolled back, or was delivered everywhere without an archive to remember it.", "找不到该事件：从未发布、已回滚，或已全部送达且没有归档。";
    arrived: "Arrived", "已送达";
    dead: "Dead", "死信";
    blocked_since: "Blocked since", "阻塞自";
    waiting_behind: "Waiting behind", "其后等待";
    process: "Process", "进程";
    started: "Started", "启动时间";
    seen: "Seen", "最近上报";
    ago: "{} ago", "{} 前";
    in_memory: "In memory", "内存中";
    delivered: "Delivered", "已投递";
    retried: "Retried", "已重试";
    leads: "Leads", "主导";
    targets: "Targets", "目标";
    publishes_only: "only publishes", "仅发布";
    loops: "Loops", "循环";
    last_success: "last success {} ago", "最近成功于 {} 前";
    never: "never", "从未";
    standby: "stands by", "待命";
    restarts: "restarts", "重启";
    leaders: "Leaders", "主导者";
    expires: "Expires in", "剩余时间";
    expired: "expired", "已过期";
    when: "When", "时间";
    who: "Who", "操作者";
    what: "What", "操作";
    detail: "To what", "对象";
    throughput: "Throughput", "吞吐量";
    per_second: "per second", "每秒";
    latency: "From publishing to settled", "从发布到完成";
    backlog: "Backlog by target", "各目标积压";
    age: "Due for", "已等待时长";
    ten_minutes: "the last ten minutes", "最近十分钟";
    last_hour: "since this page is served, an hour at most", "自本页面启动以来，至多一小时";
    no_samples: "Nothing was measured yet.", "暂无数据。";
    as_table: "As a table", "表格形式";
    about: "about {} deliveries in all", "总计约 {} 个投递";
    not_answering: "This database does not answer", "该数据库无响应";
    read_only: "This dashboard is only for looking.", "此面板为只读。";
    refused: "Refused", "已拒绝";
    bad_request: "This request cannot be read", "无法识别的请求";
    bad_csrf: "The form is too old or came from another site. Go back, reload the page and try again.", "表单已过期或来自其他站点。请返回并刷新页面后重试。";
    not_found: "There is nothing here.", "此处没有内容。";
    failed_title: "It failed", "操作失败";
    published_rate: "published", "发布";
    delivered_rate: "delivered", "投递";
    retried_rate: "retried", "重试";
    half: "half within", "半数不超过";
    most: "99 % within", "99% 不超过";
}

impl Texts {
    /// The language that somebody chose, or that their browser prefers.
    pub(crate) fn of(chosen: Option<&str>, accepted: Option<&str>) -> &'static Self {
        let chinese = |language: &str| language.trim().to_ascii_lowercase().starts_with("zh");
        let english = |language: &str| language.trim().to_ascii_lowercase().starts_with("en");
        if let Some(chosen) = chosen {
            return if chinese(chosen) { &CHINESE } else { &ENGLISH };
        }
        // Browsers name what they prefer first; weights only repeat that.
        let first = accepted.unwrap_or_default().split(',').find(|language| chinese(language) || english(language));
        if first.is_some_and(chinese) { &CHINESE } else { &ENGLISH }
    }

    /// The word for a state.
    pub(crate) fn state(&self, state: &str) -> &'static str {
        let texts = if self.code == "en" { &ENGLISH } else { &CHINESE };
        match state {
            "due" => texts.due,
            "leased" => texts.leased,
            "later" => texts.later,
            "key" => texts.behind_key,
            "dead" => texts.dead,
            _ => texts.arrived,
        }
    }
}

/// Puts a number or a name into a text.
pub(crate) fn with(text: &str, value: impl std::fmt::Display) -> String {
    text.replace("{}", &value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_there_in_both_languages_with_the_same_gaps() {
        for (name, en, zh) in ALL {
            assert!(!en.trim().is_empty() && !zh.trim().is_empty(), "{name}");
            assert_eq!(en.matches("{}").count(), zh.matches("{}").count(), "{name}");
            assert!(*name == "language" || !zh.is_ascii(), "{name} is not translated");
        }
    }

    #[test]
    fn a_choice_goes_before_the_browser_s_preference() {
        let code = |chosen, accepted| Texts::of(chosen, accepted).code;
        assert_eq!(code(None, None), "en");
        assert_eq!(code(None, Some("fr-FR,zh-CN;q=0.9,en;q=0.8")), "zh-CN");
        assert_eq!(code(None, Some("en-GB,zh;q=0.5")), "en");
        assert_eq!((code(Some("zh-CN"), Some("en")), code(Some("en"), Some("zh"))), ("zh-CN", "en"));
    }
}
