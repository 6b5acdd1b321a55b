//! The status table, row by row, and what is said of several failures.

use super::*;

mod network;

fn attempt(place: &str, failure: Failure) -> Attempt {
    Attempt::at(&place.parse().unwrap(), failure)
}

fn status(code: u16) -> Failure {
    asking_to_wait(code, None)
}

fn asking_to_wait(code: u16, seconds: Option<u64>) -> Failure {
    Failure::Status {
        status: StatusCode::from_u16(code).unwrap(),
        retry_after: seconds.map(Duration::from_secs),
    }
}

fn attempts(failures: Vec<Failure>) -> Attempts {
    let mut attempts = Attempts::default();
    for (index, failure) in failures.into_iter().enumerate() {
        attempts.push(attempt(&format!("https://h/{index}?key=secret"), failure));
    }
    attempts
}

#[test]
fn a_4xx_means_look_elsewhere_and_every_5xx_means_trouble_disc_17_as_10_as_11() {
    for code in (400..=499).filter(|code| ![408, 425, 429].contains(code)) {
        assert!(status(code).class() <= Class::Refused, "{code}");
    }
    for code in 500..=599 {
        assert_eq!(status(code).class(), Class::Trouble, "{code}");
        assert!(status(code).is_transient(), "{code}");
    }
    for code in [201, 202, 204, 206] {
        assert_eq!(
            status(code).class(),
            Class::Absent,
            "{code}: success is exactly 200, DISC-05"
        );
    }
    for code in [300, 301, 304, 307] {
        assert_eq!(status(code).class(), Class::Trouble, "{code}");
    }
}

#[test]
fn a_throttled_request_proves_no_absence_leg_01() {
    for code in [408, 425, 429] {
        assert!(
            !attempts(vec![status(404), status(code)]).prove_absence(),
            "{code}"
        );
        assert!(
            attempts(vec![status(404), status(code)]).is_transient(),
            "{code}"
        );
        assert_eq!(status(code).class(), Class::Trouble, "{code}");
    }
    for code in [400, 401, 403, 404, 405, 410] {
        assert!(
            attempts(vec![status(404), status(code)]).prove_absence(),
            "{code}"
        );
        assert!(
            !attempts(vec![status(404), status(code)]).is_transient(),
            "{code}"
        );
    }
    assert!(!attempts(vec![status(404), status(500)]).prove_absence());
}

#[test]
fn the_longest_wait_that_was_asked_for_counts() {
    let table = attempts(vec![
        asking_to_wait(404, Some(900)),
        asking_to_wait(429, Some(7)),
        asking_to_wait(503, Some(30)),
        status(429),
        status(408),
        asking_to_wait(425, Some(0)),
    ]);
    assert_eq!(table.retry_after(), Some(Duration::from_secs(30)));
    assert_eq!(
        table.to_string(),
        "https://h/1: HTTP 429, too many requests, asked to wait 7 s; \
         https://h/0: HTTP 404; \
         https://h/2: HTTP 503, asked to wait 30 s; \
         https://h/3: HTTP 429, too many requests; \
         https://h/4: HTTP 408, the request came too slowly; \
         https://h/5: HTTP 425, too early, asked to wait 0 s"
    );
    assert_eq!(attempts(vec![status(500)]).retry_after(), None);
}

#[test]
fn documents_have_their_classes_disc_17_as_09_as_12() {
    let issuer = Issuer::new("https://as.example");
    for (error, class) in [
        (
            DocumentError::NotJsonObject {
                kind: crate::BodyKind::Empty,
                source: None,
            },
            Class::Absent,
        ),
        (DocumentError::TooLong, Class::Trouble),
        (
            DocumentError::Missing { member: "resource" },
            Class::Trouble,
        ),
        (
            DocumentError::WrongType {
                member: "resource",
                expected: "a string",
            },
            Class::Trouble,
        ),
        (
            DocumentError::IssuerMismatch {
                expected: issuer,
                published: None,
            },
            Class::Mismatch,
        ),
        (
            DocumentError::Missing {
                member: "token_endpoint",
            },
            Class::Permanent,
        ),
        (
            DocumentError::WrongType {
                member: "scopes_supported",
                expected: "x",
            },
            Class::Permanent,
        ),
        (
            DocumentError::Url {
                member: "token_endpoint",
                source: UrlError::Insecure,
            },
            Class::Permanent,
        ),
    ] {
        assert_eq!(Failure::Document(error).class(), class);
    }
}

#[test]
fn the_first_grave_cause_leads_and_all_are_listed_as_13_err_10() {
    let table = attempts(vec![
        status(404),
        status(403),
        status(502),
        status(503),
        status(404),
    ]);
    assert_eq!(
        table.to_string(),
        "https://h/2: HTTP 502; https://h/0: HTTP 404; https://h/1: HTTP 403; https://h/3: HTTP 503; https://h/4: HTTP 404"
    );
    let soft = attempts(vec![status(404), status(403), status(404)]);
    assert_eq!(
        soft.lead().unwrap().place(),
        "https://h/1",
        "a 403 says more than a 404"
    );
    assert_eq!(
        attempts(vec![status(404), status(405)])
            .lead()
            .unwrap()
            .place(),
        "https://h/0"
    );
}

#[test]
fn the_cause_of_the_lead_follows_and_those_of_others_are_told_in_the_list() {
    let unreadable = |body: &str| {
        let source = serde_json::from_str::<serde_json::Value>(body).err();
        Failure::Document(DocumentError::NotJsonObject {
            kind: crate::BodyKind::Unreadable,
            source,
        })
    };
    let table = attempts(vec![unreadable("{"), unreadable("["), unreadable("{")]);
    let reason = "the body is not a JSON object: it cannot be read as JSON";
    let cause = "EOF while parsing an object at line 1 column 1";
    assert_eq!(
        table.to_string(),
        format!(
            "https://h/0: {reason}; \
             https://h/1: {reason} (EOF while parsing a list at line 1 column 1); \
             https://h/2: likewise"
        )
    );
    assert_eq!(table.source().unwrap().to_string(), cause);
}

#[test]
fn the_attempts_of_several_searches_are_one_list_in_order_as_13() {
    let mut all = attempts(vec![status(404)]);
    all.append(attempts(vec![status(502), status(410)]));
    let codes = |attempt: &Attempt| attempt.failure().to_string();
    let in_a_loop: Vec<_> = (&all).into_iter().map(codes).collect();
    assert_eq!(in_a_loop, ["HTTP 404", "HTTP 502", "HTTP 410"]);
    assert_eq!(all.iter().map(codes).collect::<Vec<_>>(), in_a_loop);
}

#[test]
fn an_issuer_without_a_place_is_listed_too_disc_15() {
    let mut table = Attempts::default();
    table.push(Attempt::without_place(
        &Issuer::new("http://as.example\u{1b}"),
        UrlError::Blank,
    ));
    assert_eq!(
        table.to_string(),
        r#""http://as.example\u{1b}": it contains a blank or a control character"#
    );
    assert!(!table.is_transient());
}
