//! Signatures a second of CPU by Rust's aws-sigv4: sign [seconds] prints the signature, then the rate.
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{sign, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use std::time::{Duration, UNIX_EPOCH};

const BODY: &[u8] = b"Action=DescribeInstances&Version=2016-11-15";

fn cpu() -> f64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}

fn once(identity: &Identity) -> String {
    let params = v4::SigningParams::builder()
        .identity(identity)
        .region("us-east-1")
        .name("ec2")
        .time(UNIX_EPOCH + Duration::from_secs(1440938160))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let request = SignableRequest::new(
        "POST",
        "https://ec2.us-east-1.amazonaws.com/",
        headers.into_iter(),
        SignableBody::Bytes(BODY),
    )
    .unwrap();
    sign(request, &params).unwrap().into_parts().1
}

fn main() {
    let limit: f64 = std::env::args().nth(1).map_or(1.0, |a| a.parse().unwrap());
    let identity: Identity =
        Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, None, "bench").into();
    let mut signature = once(&identity);
    let (mut count, began, mut took) = (0u64, cpu(), 0.0);
    while took < limit {
        for _ in 0..1000 {
            signature = once(&identity);
        }
        count += 1000;
        took = cpu() - began;
    }
    println!("{} {:.0}", signature, count as f64 / took);
}
